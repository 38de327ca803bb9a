"""Tests of paired differences d, two-sided: t, sign flips, Wilcoxon, signs; and two one-sided ones of equivalence."""

import math
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from unseg_bench.compare.statistics.draws import AT_ONCE
from unseg_bench.compare.statistics.record import Equivalence, TestResult
from unseg_bench.compare.statistics.samples import snapped, why_no_spread, why_no_test

EXACT_CASES = 15
"""Up to so many cases every one of the 2^n sign flips is taken."""
EQUIVALENCE_ALPHA = 0.05
_SCIPY_EXACT_TIES = 13
"""Up to so many cases scipy's Wilcoxon goes through all 2^n sign flips where there are ties (in seconds)."""
_TOLERANCE = 1e-9


def t_test(differences: NDArray[np.float64]) -> TestResult:
    """Paired t-test of `differences` (n): `scipy.stats.ttest_rel(a, b)`, not corrected yet."""
    from scipy.special import stdtr

    if reason := why_no_spread(differences):
        return _none(reason)
    statistic = float(differences.mean()) / _standard_error(differences)
    return TestResult(statistic, 2.0 * float(stdtr(len(differences) - 1, -abs(statistic))), None)


def sign_flip(differences: NDArray[np.float64], resamples: int, draws: np.random.Generator) -> tuple[TestResult, bool]:
    """Sign-flip test of the mean of `differences` (n), and whether its p is exact.

    All 2^n flips for n <= 15, as `scipy.stats.permutation_test((d,), mean, permutation_type='samples')`; above, p =
    (b + 1) / (m + 1) with b of m = `resamples` random flips whose mean is as far from 0 (Phipson and Smyth 2010).
    """
    n = len(differences)
    exact = n <= EXACT_CASES
    if reason := why_no_test(differences):
        return _none(reason), exact
    own = snapped(differences)
    if exact:
        p = _as_far(_all_flips(n), own) / 2**n
    else:
        rows = max(1, AT_ONCE // n)
        parts = (min(rows, resamples - start) for start in range(0, resamples, rows))
        p = (sum(_as_far(draws.choice((-1.0, 1.0), (part, n)), own) for part in parts) + 1) / (resamples + 1)
    return TestResult(float(differences.mean()), p, None), exact


def wilcoxon(differences: NDArray[np.float64]) -> TestResult:
    """Wilcoxon's signed-rank test of `differences` (n): `scipy.stats.wilcoxon(d, zero_method='pratt')`.

    Statistic: the smaller of W+ and W-. Scipy takes all flips of few tied ranks one by one; here they are one product.
    """
    from scipy.stats import wilcoxon as signed_rank_test

    if reason := why_no_test(differences):
        return _none(reason)
    own = snapped(differences)
    ranks = pratt_ranks(own)
    magnitudes = np.abs(own)
    if len(own) <= _SCIPY_EXACT_TIES and (not own.all() or len(np.unique(magnitudes)) < len(own)):
        flips = _all_flips(len(own))
        smaller = min(float(ranks[ranks > 0].sum()), float(-ranks[ranks < 0].sum()))
        return TestResult(smaller, _as_far(flips, ranks) / len(flips), None)
    statistic, p = np.asarray(signed_rank_test(own, zero_method="pratt"), dtype=float).tolist()
    return TestResult(statistic, p, None)


def sign_test(differences: NDArray[np.float64]) -> TestResult:
    """Sign test of `differences` (n): is one side of 0 more than half of all cases? A tie is on neither side.

    `scipy.stats.binomtest(most, n).pvalue` with the larger side, 1 where neither has half. Statistic: cases above 0.
    """
    from scipy.special import bdtr

    if reason := why_no_test(differences):
        return _none(reason)
    own = snapped(differences)
    above, below, n = int((own > 0).sum()), int((own < 0).sum()), len(own)
    return TestResult(float(above), min(1.0, 2.0 * float(bdtr(n - max(above, below), n, 0.5))), None)


def pratt_ranks(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed ranks of |d|, ties averaged; zeros are ranked too, and then count for neither side (Pratt 1959)."""
    from scipy.stats import rankdata

    return np.sign(differences) * rankdata(np.abs(differences))


def equivalence(a: NDArray[np.float64], b: NDArray[np.float64], margin: float) -> Equivalence:
    """Two one-sided t-tests that mean(a - b) is within the margin: `statsmodels` `ttost_paired(a, b, -m, m)`."""
    from scipy.special import stdtr

    differences = a - b
    if reason := why_no_spread(differences):
        return Equivalence(margin, None, False, reason)
    beyond = (abs(float(differences.mean())) - margin) / _standard_error(differences)
    p = float(stdtr(len(differences) - 1, beyond))
    return Equivalence(margin, p, p < EQUIVALENCE_ALPHA)


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


@lru_cache(maxsize=EXACT_CASES)
def _all_flips(n: int) -> NDArray[np.float64]:
    """Every combination of n signs, (2^n, n)."""
    return np.array(list(product((-1.0, 1.0), repeat=n)))


def _as_far(flips: NDArray[np.float64], values: NDArray[np.float64]) -> int:
    """How many flips take the sum of the values as far from 0 as it is; what rounding sets apart counts as equal."""
    reach = abs(float(values.sum())) - _TOLERANCE * float(np.abs(values).sum())
    return int(np.count_nonzero(np.abs(flips @ values) >= reach))


def _none(reason: str) -> TestResult:
    return TestResult(None, None, None, reason)
