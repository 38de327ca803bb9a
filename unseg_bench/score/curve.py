"""Mean DSC against the threshold on a run's kept maps. The curve's maximum is chosen with the references: an oracle."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unseg_bench.cpus import usable_cpus
from unseg_bench.data.labels import read_reference
from unseg_bench.data.nifti import grid_difference, read_image
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.volume import Mask
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.run.folder import RunFolder
from unseg_bench.score.metrics import DSC

POINTS = 60
_SMALLEST_SHARE = 1e-4
"""Of the brain; smaller masks than that are no tumours."""
_QUANTILES = np.linspace(0, 1, 10_001)
Values = NDArray[np.float32]
MapOf = Callable[[str], tuple[Values, Mask, int]]
"""Case -> its map inside the brain (N,), where that is tumour (N,), and how many tumour voxels lie elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class DiceCurve:
    """DSC of (map > threshold) inside the brain: `dsc` is (cases, thresholds), 0-1, `thresholds` ascend."""

    cases: tuple[str, ...]
    thresholds: NDArray[np.float32]
    dsc: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over cases at each threshold."""
        return self.dsc.mean(axis=0)

    @property
    def quartiles(self) -> NDArray[np.float64]:
        """First and third quartile over cases at each threshold, (2, thresholds)."""
        return np.quantile(self.dsc, (0.25, 0.75), axis=0)

    @property
    def oracle(self) -> tuple[float, float]:
        """The threshold with the best mean DSC of those on the curve, and that DSC: known only with the references."""
        best = int(self.mean.argmax())
        return float(self.thresholds[best]), float(self.mean[best])

    def at(self, threshold: float) -> float:
        """Return the mean DSC at the curve's threshold that is nearest."""
        return float(self.mean[int(np.abs(self.thresholds - threshold).argmin())])


def dice_curve(cases: Sequence[str], map_of: MapOf, also: Iterable[float] = ()) -> DiceCurve:
    """Measure the curve at POINTS thresholds and at those of `also`; maps are opened twice, a few at a time.

    The thresholds are those that leave steadily smaller shares of all brains above them, from all to a ten-thousandth:
    from one to the next, a mask shrinks by the same factor. Large brains count as small ones.
    """

    def quantiles(case: str) -> Values:
        values, _, _ = map_of(case)
        return np.quantile(values, _QUANTILES).astype(np.float32) if len(values) else values

    def dice(case: str) -> NDArray[np.float64]:
        return case_dice(*map_of(case), thresholds)

    with ThreadPoolExecutor(max_workers=usable_cpus(), thread_name_prefix="curve") as pool:
        values = np.concatenate(list(pool.map(quantiles, cases)))
        shares = np.geomspace(1.0, _SMALLEST_SHARE, POINTS)
        spread = np.quantile(values, 1.0 - shares) if len(values) else np.zeros(1)
        thresholds = np.unique(np.array([*spread, *also], np.float32))
        dsc = np.array(list(pool.map(dice, cases)))
    return DiceCurve(tuple(cases), thresholds, dsc)


def case_dice(values: Values, tumour: NDArray[np.bool_], elsewhere: int, thresholds: Values) -> NDArray[np.float64]:
    """Return the DSC of (values > threshold) with `tumour` at each ascending threshold, from one histogram.

    values, tumour: (N,), the brain's voxels; elsewhere: tumour voxels that lie outside of it, and are never found.
    """
    # How many thresholds lie strictly below a voxel's value: it is above those, and no others.
    below = np.searchsorted(thresholds, values, side="left")
    size = len(thresholds) + 1
    above, hits = (
        np.cumsum(np.bincount(found, minlength=size)[::-1])[::-1][1:].astype(np.float64)
        for found in (below, below[tumour])
    )
    total = above + np.count_nonzero(tumour) + elsewhere
    return np.divide(2.0 * hits, total, out=np.full(len(thresholds), DSC.best), where=total > 0)


def kept_maps(run: RunFolder, dataset: Dataset, store: PreparedStore) -> MapOf:
    """Return the function that opens a case's map beside its reference, the latter by `data.labels`.

    It raises ScoreError for a map on another grid, DataError for what cannot be read.
    """

    def read(case: str) -> tuple[Values, Mask, int]:
        prepared = store.prepare(case, dataset.image(case))
        kept = read_image(run.map_file(case))
        if difference := grid_difference(prepared.grid, kept):
            raise ScoreError(f"{kept.path} is not on the grid of its image: {difference}; `ubench run` makes it again")
        reference, _ = read_reference(dataset, case, prepared.grid)
        brain = np.asarray(prepared.volume().brain)
        values, tumour = prepared.placement.take(kept.data)[brain], prepared.placement.take(reference)[brain]
        return values, tumour, int(np.count_nonzero(reference)) - int(np.count_nonzero(tumour))

    return read
