"""The paired t-test, with the tail of Student's t by its own series: a comparison need not wait for scipy to load."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

_STEPS = 500
_PRECISION = 1e-16
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two-sided paired t-test of mean(a - b) = 0 over n cases; t and p are None where `reason` says why."""

    mean_difference: float
    n: int
    t: float | None
    p: float | None
    reason: str | None = None


def paired_t_test(a: Sequence[float], b: Sequence[float]) -> PairedTest:
    """Test scores of the same cases against each other, uncorrected: `scipy.stats.ttest_rel(a, b)`.

    No p is given for a single case, nor where the difference is the same in every case: t divides by its spread.
    """
    differences = [x - y for x, y in zip(a, b, strict=True)]
    n, mean = len(differences), fmean(differences)
    if n < 2:
        return PairedTest(mean, n, None, None, "one case only")
    spread = stdev(differences)
    if spread <= _SAME * max(map(abs, (*a, *b))):
        same = "equal in every case" if not any(differences) else "the same difference in every case"
        return PairedTest(mean, n, None, None, same)
    t = mean / (spread / math.sqrt(n))
    return PairedTest(mean, n, t, t_tail(t, n - 1))


def t_tail(t: float, freedom: float) -> float:
    """Probability that Student's t with `freedom` degrees of freedom is beyond |t| on either side."""
    x = freedom / (freedom + t * t)
    return _incomplete_beta(freedom / 2.0, 0.5, x, t * t / (freedom + t * t))


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Regularised incomplete beta function I_x(a, b), with rest = 1 - x given apart to keep its digits.

    Lentz's continued fraction (Press et al., Numerical Recipes, section 6.4).
    """
    if x <= 0.0 or rest <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0), tiny)
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d, tiny)
            c = _away_from_zero(1.0 + term / c, tiny)
            change = d * c
            value *= change
        if abs(change - 1.0) < _PRECISION:
            break
    return value


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
