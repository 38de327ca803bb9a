"""Seconds and peak memory of the commands around a run, on 369 tiny cases in BraTS2020's names.

    OMP_NUM_THREADS=1 python benchmarks/brats2020_names.py [--keep FOLDER]

Folders, files and labels are named and laid out as in the release, its one odd name included; volumes are 24 x 24 x 20
voxels, so that what is measured is the work per case and not the work per voxel. The split is the published one. Peak
memory is of the largest process of a command. A command that fails stops the benchmark.

On two cores that were busy with other work: `data check` 3.5 s, 86 MB; `run` of five methods on 75 cases 43 s,
209 MB; `compare` 4.8 s, 143 MB; `report` 14 s, 210 MB, a page of 1 MB.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from unseg_bench_datasets.brats2020 import OTHER_NAMES

from unseg_bench.data.nifti import write_image

SHAPE = (24, 24, 20)
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
RUNS = ("threshold", "empty", "whole-brain", "filled-box", "best-threshold")
COMMANDS: dict[str, tuple[str, ...]] = {
    "data check": ("data", "check", "brats2020"),
    f"run, {len(RUNS)} methods x 75 cases": ("run", *RUNS, "-d", "brats2020"),
    "compare --by-size --stats --claims": ("compare", "--by-size", "--stats", "--claims"),
    "report": ("report",),
}
NEEDS_DATA = ("data", "run")
UBENCH = [sys.executable, "-c", "from unseg_bench.cli.main import main; raise SystemExit(main())"]
MEASURE = (
    "import resource, subprocess, sys; "
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True); "
    "sys.stderr.write(done.stderr); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); "
    "sys.exit(done.returncode)"
)
KILOBYTE = 1 if sys.platform == "darwin" else 1024


def write_release(root: Path) -> None:
    """Write a FLAIR image and a mask a case below `root`, under the names of the release."""
    noise = np.random.default_rng(369)
    x, y, z = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    brain = ((x - 12) / 11) ** 2 + ((y - 12) / 11) ** 2 + ((z - 10) / 9) ** 2 < 1
    for number in range(1, 370):
        case = f"BraTS20_Training_{number:03d}"
        radius, middle = noise.uniform(1.5, 6), noise.integers(8, 16)
        tumour = ((x - middle) ** 2 + (y - 12) ** 2 + (z - 10) ** 2 < radius**2) & brain
        image = np.where(brain, 300 + 30 * noise.standard_normal(SHAPE) + 150 * tumour, 0).clip(0)
        labels = np.where(tumour, noise.choice([1, 2, 4], SHAPE), 0)
        (root / case).mkdir(parents=True)
        write_image(root / case / f"{case}_flair.nii.gz", image.astype(np.int16), AFFINE)
        write_image(root / case / f"{OTHER_NAMES.get(case, f'{case}_seg')}.nii.gz", labels.astype(np.uint8), AFFINE)


def measure(arguments: tuple[str, ...], folder: Path, data: Path) -> tuple[float, float]:
    """Return seconds and MB of one command; raises SystemExit where it fails."""
    given = ("--data", str(data)) if arguments[0] in NEEDS_DATA else ()
    environment = {**os.environ, "UBENCH_CACHE": str(folder / "cache")}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *UBENCH, *arguments, *given],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return seconds, int(done.stdout) * KILOBYTE / 1e6


def main() -> None:
    """Write the cases, run the commands one after the other, print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it, to look at what was made")
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory(prefix="ubench-brats-") as name:
        folder = Path(name) if keep is None else keep.resolve()
        data = folder / "MICCAI_BraTS2020_TrainingData"
        write_release(data)
        print(f"{'369 cases of ' + ' x '.join(map(str, SHAPE)) + ' voxels':40}{'seconds':>8}{'peak MB':>9}")
        for what, arguments in COMMANDS.items():
            seconds, peak = measure(arguments, folder, data)
            print(f"{what:40}{seconds:8.1f}{peak:9.0f}", flush=True)


if __name__ == "__main__":
    main()
