"""Peak memory of whole runs over 4 and over 40 phantom cases: it must not grow with the number of cases.

    OMP_NUM_THREADS=1 python benchmarks/memory.py

`threshold` segments so many cases; `clisc` and `supervised-unet` (preset check) learn from so many and segment two.
`supervised-unet-2mm` trains at the phantoms' own voxel size, on patches of all cases, and chooses its weights by four
validation cases.
What counts is the largest resident set of any process of a run, the sealed one included. The phantoms are made before.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FEW, MANY = 4, 40
OWN_GRID = {
    "spacing_mm": "2",
    "channels": "[4,4]",
    "patch": "[32,40,32]",
    "steps": "80",
    "keep": "best-validation-dice",
    "validate_every": "80",
}
RUNS: dict[str, tuple[str, str, list[str]]] = {
    "threshold": ("threshold", "test", []),
    "clisc": ("clisc", "train", ["--preset", "check"]),
    "supervised-unet": ("supervised-unet", "train", ["--preset", "check"]),
    "supervised-unet-2mm": (
        "supervised-unet",
        "train",
        ["--preset", "check", *(f"--set=unet.{name}={value}" for name, value in OWN_GRID.items())],
    ),
}
"""Name -> method, the part of the split that grows, and the options that make its run short."""
UBENCH = [sys.executable, "-c", "from unseg_bench.cli.main import main; raise SystemExit(main())"]
MEASURE = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
KILOBYTE = 1 if sys.platform == "darwin" else 1024


def phantom(growing: str, cases: int) -> list[str]:
    """Options that make a phantom cohort of so many cases in one part."""
    sizes = {"train": 1, "valid": 4, "test": 2, "healthy": 0, growing: cases}
    return [word for part, size in sizes.items() for word in ("--dataset-option", f"{part}={size}")]


def peak_mb(name: str, cases: int, folder: Path) -> float:
    """Return the peak resident set of a run's largest process, in MB."""
    method, growing, options = RUNS[name]
    environment = {**os.environ, "UBENCH_CACHE": str(folder / "cache")}
    data = phantom(growing, cases)
    subprocess.run(
        [*UBENCH, "data", "check", "phantom", *data], env=environment, check=True, capture_output=True, cwd=folder
    )
    run = [*UBENCH, "run", method, *options, *data, "--device", "cpu", "--runs", str(folder / f"runs-{cases}")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *run],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    return int(done.stdout) * KILOBYTE / 1e6


def main() -> None:
    """Print one line a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", default=list(RUNS), help=", ".join(RUNS))
    names = parser.parse_args().runs
    print(f"{'peak MB of the largest process':32}{f'{FEW} cases':>10}{f'{MANY} cases':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory(prefix="ubench-memory-") as folder:
        for name in names:
            few, many = (peak_mb(name, cases, Path(folder)) for cases in (FEW, MANY))
            print(f"{name:32}{few:10.0f}{many:10.0f}{many / few:8.2f}", flush=True)


if __name__ == "__main__":
    main()
