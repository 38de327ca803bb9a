"""Speed of the scores against medpy, surface-distance and MONAI, in one run on one core.

    OMP_NUM_THREADS=1 python benchmarks/metrics_speed.py [DATA] [--repeats 5] [--cases 3]

DATA is a folder of BraTS cases (default ../shared/data beside the checkout); its label files of 240 x 240 x 155 are
changed as a prediction might be: shifted, dilated, eroded, cut, and with false positives all over the volume. The peers
take turns with us on the same masks, so that a busy machine is busy for all; medians and ratios are printed. In memory
all get C order, which the peers like best; from files everyone gets what the reader gives.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel
import numpy as np
from medpy.metric import binary
from rich.console import Console
from rich.table import Table
from scipy import ndimage
from surface_distance import metrics as surface_distance

from unseg_bench.data.nifti import read_labels
from unseg_bench.score import distances
from unseg_bench.score.case import score_case, warm_up

GRID = (240, 240, 155)
SPACING_MM = (1.0, 1.0, 1.0)
CUBE = np.ones((3, 3, 3), dtype=bool)
Job = Callable[[], object]


def main() -> None:
    """Measure and print three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cases", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the peers' own
    _restore_scipy_names()
    warm_up()
    paths = list(_label_files(options.data))[: options.cases]
    if not paths:
        raise SystemExit(f"{options.data}: no label file of shape {GRID} (*seg.nii.gz or OTMultiClass.nii.gz)")
    console = Console()
    masks = [np.ascontiguousarray(read_labels(path).data > 0) for path in paths]
    typical = [pair for mask in masks for pair in _typical(mask)]
    console.print(_compare("typical masks, in memory", typical, options.repeats))
    console.print(_compare("whole-volume noise, in memory", [_noise(mask) for mask in masks], options.repeats))
    console.print(_from_files(typical, options.repeats))


def _label_files(folder: Path) -> Iterator[Path]:
    """Label files on the full BraTS grid."""
    for path in sorted([*folder.rglob("OTMultiClass.nii.gz"), *folder.rglob("*seg.nii.gz")]):
        if nibabel.load(path).shape == GRID:
            yield path


def _typical(mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Predictions of a sensible method."""
    order = np.ascontiguousarray
    yield order(np.roll(mask, (3, 2, 1), axis=(0, 1, 2))), mask
    yield order(ndimage.binary_dilation(mask, iterations=3)), mask
    yield order(ndimage.binary_erosion(mask, CUBE, iterations=2)), mask
    cut = mask.copy()
    cut[:, :, int(np.quantile(np.flatnonzero(mask.any(axis=(0, 1))), 0.75)) :] = False
    yield cut, mask


def _noise(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False positives all over the volume."""
    noise = np.random.default_rng(20).standard_normal(mask.shape)
    field = ndimage.gaussian_filter(mask + 4.0 * noise, 2.0, mode="constant")
    return np.ascontiguousarray(field > 0.5), mask


def _ours_both(prediction: np.ndarray, reference: np.ndarray) -> None:
    pair = distances.crop_pair(prediction, reference, SPACING_MM)
    distances.border_distances(pair).hd95_mm()


def _monai(prediction: np.ndarray, reference: np.ndarray) -> None:
    import torch
    from monai.metrics import compute_hausdorff_distance

    torch.set_num_threads(1)
    tensors = [torch.from_numpy(np.ascontiguousarray(mask))[None, None] for mask in (prediction, reference)]
    compute_hausdorff_distance(*tensors, percentile=95, spacing=SPACING_MM, include_background=True)


def _surface_distance(prediction: np.ndarray, reference: np.ndarray) -> None:
    found = surface_distance.compute_surface_distances(reference, prediction, SPACING_MM)
    surface_distance.compute_robust_hausdorff(found, 95)


def _restore_scipy_names() -> None:
    """surface-distance calls scipy by names that are gone in newer versions."""

    class OldNames:
        filters = ndimage
        morphology = ndimage

    surface_distance.ndimage = OldNames


_JOBS: dict[str, Callable[[np.ndarray, np.ndarray], object]] = {
    "medpy hd95": lambda one, other: binary.hd95(one, other, voxelspacing=SPACING_MM),
    "MONAI hd95": _monai,
    "surface-distance hd95": _surface_distance,
    "unseg-bench DSC + hd95": _ours_both,
    "unseg-bench all scores": lambda one, other: score_case(one, other, SPACING_MM),
}


def _compare(title: str, pairs: list[tuple[np.ndarray, np.ndarray]], repeats: int) -> Table:
    """Time every job on every pair, in turns; a pair's time is its median, a ratio is medpy's over the job's."""
    times = [
        _in_turns({name: (lambda job=job, pair=pair: job(*pair)) for name, job in _JOBS.items()}, repeats)
        for pair in pairs
    ]
    return _table(title, times, "medpy hd95")


def _from_files(pairs: list[tuple[np.ndarray, np.ndarray]], repeats: int) -> Table:
    """From two .nii.gz files to DSC and HD95: nibabel and medpy, or our reader and our kernels."""

    def usual(files: list[Path]) -> None:
        masks = [nibabel.load(path).get_fdata() > 0 for path in files]
        binary.dc(*masks)
        binary.hd95(*masks, voxelspacing=SPACING_MM)

    def ours(files: list[Path]) -> None:
        _ours_both(*(read_labels(path).data > 0 for path in files))

    times = []
    with tempfile.TemporaryDirectory() as folder:
        for number, pair in enumerate(pairs):
            files = [Path(folder) / f"{number}-{which}.nii.gz" for which in ("prediction", "reference")]
            for path, mask in zip(files, pair, strict=True):
                nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), np.eye(4)), path)
            jobs: dict[str, Job] = {
                "nibabel + medpy": lambda files=files: usual(files),
                "unseg-bench": lambda files=files: ours(files),
            }
            times.append(_in_turns(jobs, repeats))
    return _table("from two .nii.gz files to DSC and hd95", times, "nibabel + medpy")


def _in_turns(jobs: dict[str, Job], repeats: int) -> dict[str, float]:
    """Median seconds of each job, the jobs taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(own) for name, own in seconds.items()}


def _table(title: str, times: list[dict[str, float]], base: str) -> Table:
    """Median time over pairs, and the median, least and largest of the pairs' ratios."""
    table = Table(
        "job", "median ms", f"{base} / job", "range", title=f"{title} ({len(times)} pairs)", title_justify="left"
    )
    for name in times[0]:
        ratios = [one[base] / one[name] for one in times]
        table.add_row(
            name,
            f"{1e3 * statistics.median(one[name] for one in times):.1f}",
            f"{statistics.median(ratios):.1f}",
            f"{min(ratios):.1f} - {max(ratios):.1f}",
        )
    return table


if __name__ == "__main__":
    main()
