"""Time and size of `ubench report` with pictures: made-up cases of BraTS' size, several methods each.

    OMP_NUM_THREADS=1 python benchmarks/report_page.py [--cases 75] [--methods 8] [--quality 50]

Heads are ellipsoids as grainy as real FLAIR images (tests/report/page compares the two in size); masks are ragged about
a tumour of its own place and size in each case. Files are written first and not counted. The page is then made twice:
with an empty store of prepared images, as on another machine than that of the runs, and with a full one.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from unseg_bench.compare.build import compare
from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.data.nifti import write_image
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.report.case_images import CaseImages
from unseg_bench.report.page import write_page
from unseg_bench.report.page.write import PageSettings
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.settings import make_dataset
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import CaseScore

GRID, HEAD, START = (240, 240, 155), (142, 176, 140), (48, 30, 4)
AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
DIAGONAL_MM = 373.0
LIMITS = {"MB": 15.0, "seconds": 60.0}


def main() -> None:
    """Make the files, make the page twice, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=75)
    parser.add_argument("--methods", type=int, default=8)
    parser.add_argument("--quality", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["UBENCH_CACHE"] = str(folder / "cache")
        runs = _make(folder, options.cases, options.methods)
        started = time.perf_counter()
        comparison = compare(runs, CompareSettings(statistics=StatisticsSettings()))
        compared = time.perf_counter() - started
        rows = [_measure(what, comparison, runs, folder, options.quality) for what in ("empty store", "full store")]
    table = Table(title=f"{options.cases} cases of {'x'.join(map(str, GRID))}, {options.methods} methods", box=None)
    for heading in ("page made with", "seconds", "MB", "kB a case"):
        table.add_column(heading, justify="left" if heading == "page made with" else "right")
    for what, seconds, size in rows:
        table.add_row(what, f"{seconds:.1f}", f"{size / 1e6:.1f}", f"{size / 1e3 / options.cases:.0f}")
    console = Console()
    console.print(table)
    console.print(f"comparison with statistics: {compared:.1f} s more; aims for 75 cases of 8 methods: {LIMITS}")


def _measure(
    what: str, comparison: Comparison, runs: list[RunScores], folder: Path, quality: int
) -> tuple[str, float, int]:
    """Make the page; returns what for, seconds and bytes."""
    path = folder / "report.html"
    started = time.perf_counter()
    write_page(comparison, path, browser=CaseImages.of(runs), runs=runs, settings=PageSettings(quality=quality))
    return what, time.perf_counter() - started, path.stat().st_size


def _make(folder: Path, cases: int, methods: int) -> list[RunScores]:
    """Write images, references and predictions; DSC is that of the masks, HD95 is made up."""
    noise = np.random.default_rng(2025)
    axes = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in HEAD)]
    brain = sum(axis**2 for axis in axes) < 0.9
    fine, coarse = (_field(noise, sigma) for sigma in (0.8, 4.0))
    ragged = [_field(noise, 1 + number / 3) for number in range(methods)]
    scores: list[list[CaseScore]] = [[] for _ in range(methods)]
    for number in range(cases):
        case = f"case-{number:03d}"
        centre, radius = noise.uniform(-0.45, 0.45, 3), noise.uniform(0.12, 0.45)
        turn = tuple(int(value) for value in noise.integers(0, HEAD))
        grain, lumps = (np.roll(field, turn, (0, 1, 2)) for field in (fine, coarse))
        away = np.sqrt(sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True))) + 0.06 * lumps
        reference = (away < radius) & brain
        image = np.where(brain, 700 + 15 * grain + 100 * lumps + 200 * (away < radius), 0)
        _write(folder / "data" / case / "flair.nii.gz", image.astype(np.int16))
        _write(folder / "data" / case / "seg.nii.gz", reference.astype(np.uint8))
        for method, edge in enumerate(ragged):
            offset = noise.normal(0, 0.04)
            mask = (away + 0.05 * np.roll(edge, turn, (0, 1, 2)) < radius + offset) & brain
            _write(folder / f"run-{method}" / "predictions" / f"{case}.nii.gz", mask.astype(np.uint8))
            scores[method].append(_score(case, mask, reference, 5 + 20 * abs(noise.normal())))
    return _runs(folder, scores)


def _field(noise: np.random.Generator, sigma: float) -> np.ndarray:
    smooth = ndimage.gaussian_filter(noise.standard_normal(HEAD).astype(np.float32), sigma, mode="wrap")
    return smooth / smooth.std()


def _write(path: Path, head: np.ndarray) -> None:
    whole = np.zeros(GRID, head.dtype, order="F")
    whole[tuple(slice(start, start + n) for start, n in zip(START, HEAD, strict=True))] = head
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, whole, AFFINE)


def _score(case: str, mask: np.ndarray, reference: np.ndarray, hd95_mm: float) -> CaseScore:
    sizes = mask.sum() / 1000, reference.sum() / 1000
    dsc = float(2 * (mask & reference).sum() / 1000 / max(sum(sizes), 1e-9))
    values = dict(zip(BUILT_IN, (dsc, hd95_mm, hd95_mm, hd95_mm, dsc, dsc, dsc), strict=True))
    return CaseScore(case, float(sizes[1]), float(sizes[0]), values, DIAGONAL_MM)


def _runs(folder: Path, scores: list[list[CaseScore]]) -> list[RunScores]:
    options = {"data": str(folder / "data"), "image": "*/flair.nii.gz", "reference": "*/seg.nii.gz"}
    dataset = make_dataset(load_plugins().dataset("folder"), {**options, "split": "all-test"})
    runs: list[RunScores] = []
    for number, own in enumerate(scores):
        run = RunFolder(folder / f"run-{number}")
        settings = {"dataset_options": dataset.options.model_dump(mode="json"), "set": {}}
        run.update({"dataset": "folder", "dataset_identity": dataset.identity(), "settings": settings})
        name = f"method-{number}"
        runs.append(RunScores(name, name, 0, "yes", "folder", "all-test", "test", True, own, folder=run.path))
    return runs


if __name__ == "__main__":
    main()
