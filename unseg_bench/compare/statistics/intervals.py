"""95 % intervals of a mean: Student's t, and BCa with patients resampled."""

import warnings

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
    from scipy.stats import ttest_1samp

    if reason := _why_not(values, 2):
        return Interval(None, None, reason)
    low, high = ttest_1samp(values, 0.0).confidence_interval(LEVEL)
    return Interval(float(low), float(high))


def bca_interval(values: NDArray[np.float64], resamples: int, draws: np.random.Generator) -> Interval:
    """Bias-corrected and accelerated bootstrap interval of the mean of `values` (n).

    Of paired differences it is `scipy.stats.bootstrap((a, b), ..., paired=True, method='BCa')`: both methods' scores of
    a resampled patient come together. Efron, JASA 82 (1987) 171.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    if reason := _why_not(values, 3):
        return Interval(None, None, reason)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = bootstrap(
            (values,),
            np.mean,
            n_resamples=resamples,
            batch=max(1, AT_ONCE // len(values)),
            vectorized=True,
            confidence_level=LEVEL,
            method="BCa",
            rng=draws,
        ).confidence_interval
    if not (np.isfinite(found.low) and np.isfinite(found.high)):
        return Interval(None, None, "too little spread between the resamples")
    return Interval(float(found.low), float(found.high))


def mirrored(interval: Interval, sign: int) -> Interval:
    """The interval of sign * x from that of x."""
    if sign > 0 or interval.low is None or interval.high is None:
        return interval
    return Interval(-interval.high, -interval.low)


def _why_not(values: NDArray[np.float64], least: int) -> str | None:
    if len(values) < least:
        return {0: "no case", 1: "one case only"}.get(len(values), "two cases only")
    return "the same in every case" if np.ptp(snapped(values)) == 0.0 else None
