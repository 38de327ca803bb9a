"""95 % intervals of a mean: Student's t, and BCa with patients resampled; and of a median."""

import numpy as np
from numpy.typing import NDArray

from unseg_bench.compare.comparison import Column
from unseg_bench.compare.groups import FEW_CASES
from unseg_bench.compare.statistics.draws import AT_ONCE
from unseg_bench.compare.statistics.record import Interval
from unseg_bench.compare.statistics.samples import snapped

LEVEL = 0.95
FEW = Interval(None, None, f"fewer than {FEW_CASES} cases")
"""In place of an interval in a group of so few cases."""


def in_few(column: Column) -> bool:
    """Whether a column is a group that is too small for intervals."""
    return column.group is not None and column.few


def t_interval(values: NDArray[np.float64]) -> Interval:
    """Interval of the mean of `values` (n): `scipy.stats.ttest_1samp(values, 0).confidence_interval()`."""
    from scipy.special import stdtrit

    if reason := _why_not(values, 2):
        return Interval(None, None, reason)
    n, mean = len(values), float(values.mean())
    reach = float(stdtrit(n - 1, 0.5 + LEVEL / 2) * values.std(ddof=1) / np.sqrt(n))
    return Interval(mean - reach, mean + reach)


def median_interval(values: NDArray[np.float64]) -> Interval:
    """Interval of the median of `values` (n), two of them: `scipy.stats.quantile_test(values).confidence_interval()`.

    Exact whatever the shape, so at 95 % or more; it leaves out 0 only where the sign test has p <= .05.
    """
    from scipy.special import bdtr

    n = len(values)
    outside = int(np.searchsorted(bdtr(np.arange(n), n, 0.5), (1 - LEVEL) / 2, side="right"))
    if outside == 0:
        return Interval(None, None, "fewer than six cases")
    ordered = np.sort(values)
    return Interval(float(ordered[outside - 1]), float(ordered[n - outside]))


def bca_interval(values: NDArray[np.float64], resamples: int, draws: np.random.Generator) -> Interval:
    """Bias-corrected and accelerated bootstrap interval of the mean of `values` (n). Efron, JASA 82 (1987) 171.

    Of paired differences it is `scipy.stats.bootstrap((a, b), ..., paired=True, method='BCa')`, draw for draw: both
    methods' scores of a resampled patient come together. Scipy's call is general, and half of its time goes there.
    """
    from scipy.special import ndtr, ndtri

    if reason := _why_not(values, 3):
        return Interval(None, None, reason)
    n, mean = len(values), values.mean()
    rows = max(1, AT_ONCE // n)
    parts = (min(rows, resamples - start) for start in range(0, resamples, rows))
    means = np.concatenate([values[draws.integers(0, n, (part, n))].mean(axis=1) for part in parts])
    below = np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)
    bias = float(ndtri(below / (2 * resamples)))
    own = values - mean
    acceleration = float((own**3).sum() / (6.0 * (own**2).sum() ** 1.5))
    shifted = bias + np.array([1.0, -1.0]) * float(ndtri((1 - LEVEL) / 2))
    if not np.isfinite(bias):
        return Interval(None, None, "too little spread between the resamples")
    low, high = np.quantile(means, ndtr(bias + shifted / (1.0 - acceleration * shifted))).tolist()
    return Interval(low, high)


def _why_not(values: NDArray[np.float64], least: int) -> str | None:
    if len(values) < least:
        return {0: "no case", 1: "one case only"}.get(len(values), "two cases only")
    return "the same in every case" if np.ptp(snapped(values)) == 0.0 else None
