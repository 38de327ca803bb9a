"""Paired differences d: how large they are, whatever their p; tests, equivalence, and a lead that assumes no shape."""

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
_LOG_RANGE, _LOG_STEP, _STEP_CASES = 25.0, 0.05, 300
"""The integral is taken over log t, where it decays at both ends; more cases than these need finer steps."""


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


def worst_case_p(leads: NDArray[np.float64], failure: float) -> float:
    """P value of 'the mean lead is 0 or less' from `leads` (n), which no failure takes below `failure` (below 0).

    Gaffke's bound (Mathematical Methods of Statistics 14 (2005) 451; Phan et al., ICML 2021): the n leads and one case
    of a failure get weights that are uniform over all weights of sum 1; p is the probability that their weighted mean
    is 0 or less. It assumes nothing of the shape. Where all leads are alike it is the rule of three: 3 failures in n
    cases can have gone unseen. The probability is that of a sum of exponentials, by Imhof's integral
    (Biometrika 48 (1961) 419).
    """
    values = np.append(leads, failure)
    if values.min() >= 0.0:
        return 0.0
    if values.max() <= 0.0:
        return 1.0
    step = _LOG_STEP * min(1.0, math.sqrt(_STEP_CASES / len(values)))
    u = np.arange(-_LOG_RANGE, _LOG_RANGE, step)
    angles = np.exp(u)[:, None] * (values / np.abs(values).max())
    phase = np.arctan(angles).sum(axis=1)
    size = np.exp(-0.5 * np.log1p(angles**2).sum(axis=1))
    p = 0.5 - float((np.sin(phase) * size).sum()) * step / np.pi
    return min(max(p, 0.0), 1.0)


def dz(differences: NDArray[np.float64]) -> float | None:
    """Cohen's dz, mean(d) / sd(d, ddof 1); None for one case, or for the same difference in all."""
    if why_no_spread(differences):
        return None
    return float(differences.mean() / differences.std(ddof=1))


def rank_biserial(differences: NDArray[np.float64]) -> float | None:
    """Matched-pairs rank-biserial correlation (W+ - W-) / (W+ + W-), -1 to 1, with the ranks of the test (Pratt's).

    None where every difference is 0. Kerby, Comprehensive Psychology 3 (2014) 11.IT.3.1.
    """
    ranks = pratt_ranks(snapped(differences))
    total = float(np.abs(ranks).sum())
    return float(ranks.sum()) / total if total else None


def hodges_lehmann(differences: NDArray[np.float64]) -> float:
    """Median of the Walsh averages (d_i + d_j) / 2, i <= j: the shift that Wilcoxon's test is about."""
    i, j = np.triu_indices(len(differences))
    return float(np.median((differences[i] + differences[j]) / 2.0))


def wins_ties_losses(differences: NDArray[np.float64], higher_is_better: bool) -> tuple[int, int, int]:
    """In how many cases a is better than, as good as and worse than b."""
    own = snapped(differences)
    above, below = int((own > 0).sum()), int((own < 0).sum())
    wins, losses = (above, below) if higher_is_better else (below, above)
    return wins, len(own) - above - below, losses
