"""What carries a sentence where a mean is not to be trusted: signs, the median's interval, outliers, the worst case."""

import numpy as np
import pytest
from scipy import stats

from unseg_bench.compare.statistics.families import adjusted
from unseg_bench.compare.statistics.intervals import median_interval
from unseg_bench.compare.statistics.samples import outliers
from unseg_bench.compare.statistics.significance import sign_test, worst_case_p
from unseg_bench.compare.wording import digits_apart


@pytest.mark.parametrize("n", [2, 6, 15, 76])
def test_the_sign_test_is_scipys_where_there_are_no_ties(n):
    d = np.random.default_rng(n).normal(0.03, 0.1, n)
    above = int((d > 0).sum())
    found = sign_test(d)
    assert found.statistic == above
    assert found.p == pytest.approx(stats.binomtest(max(above, n - above), n).pvalue)
    assert sign_test(-d).p == pytest.approx(found.p)


def test_ties_are_on_neither_side_of_the_sign_test():
    d = np.array([0.1] * 6 + [0.0] * 6)
    assert sign_test(d).p == pytest.approx(1.0)
    assert sign_test(np.array([0.1] * 6)).p == 2 / 2**6
    assert sign_test(np.zeros(3)).reason == "equal in every case"


@pytest.mark.parametrize("n", [5, 6, 15, 75, 200])
def test_the_interval_of_a_median_is_scipys_and_agrees_with_the_sign_test(n):
    d = np.random.default_rng(n).normal(0.02, 0.06, n)
    expected = stats.quantile_test(d, p=0.5).confidence_interval(0.95)
    found = median_interval(d)
    if n < 6:
        assert (found.low, found.high, found.reason) == (None, None, "fewer than six cases")
        return
    assert (found.low, found.high) == (expected.low, expected.high)
    assert (found.low > 0.0 or found.high < 0.0) == (sign_test(d).p <= 0.05)


@pytest.mark.parametrize("n", [1, 5, 15, 75, 400])
@pytest.mark.parametrize("lead", [0.005, 0.02, 0.3])
def test_alike_leads_are_the_rule_of_three(n, lead):
    """One weight of n + 1 uniform ones is beyond x with probability (1 - x)^n."""
    assert worst_case_p(np.full(n, lead), -0.8) == pytest.approx((1 - lead / (lead + 0.8)) ** n, abs=1e-8)


def test_the_worst_case_is_that_of_random_weights():
    rng = np.random.default_rng(0)
    for n in (3, 15, 75):
        leads = rng.normal(0.03, 0.05, n)
        drawn = rng.exponential(1.0, (40_000, n + 1)) @ np.append(leads, -0.7) <= 0.0
        assert worst_case_p(leads, -0.7) == pytest.approx(drawn.mean(), abs=0.01)


def test_the_worst_case_of_no_lead_and_of_no_failure():
    assert worst_case_p(np.array([-0.1, -0.2]), -0.5) == 1.0
    assert worst_case_p(np.array([0.1, 0.2]), 0.0) == 0.0


def test_outliers_are_beyond_tukeys_outer_fences_and_the_margin():
    d = np.append(np.linspace(-0.01, 0.01, 41), [0.4, -0.4, 0.045])
    assert outliers(d, 0.0) == 3
    assert outliers(d, 0.05) == 2
    assert outliers(np.random.default_rng(0).normal(0, 1, 300), 0.0) == 0
    assert outliers(np.full(5, 0.3), 0.0) == 0


def test_a_reference_that_the_data_chose_counts_every_pair():
    """The best of five alike is set against the others: without the pairs it was chosen among, 1 in 11 is false."""
    rng = np.random.default_rng(0)
    false = {1.0: 0, 2.5: 0}
    for _ in range(1_000):
        scores = rng.normal(0.0, 1.0, (5, 30))
        best = int(scores.mean(axis=1).argmax())
        d = scores[best] - np.delete(scores, best, axis=0)
        p_values = stats.ttest_1samp(d, 0.0, axis=1).pvalue.tolist()
        for among in false:
            false[among] += min(adjusted(p_values, "holm", among)) < 0.05
    assert false[2.5] < 60 < 75 < false[1.0]
    assert adjusted([0.01, None, 0.2], "holm", 1.5) == pytest.approx([0.03, None, 0.4])


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        ((84.03, 84.04), 2),
        ((84.031, 84.034), 3),
        ((0.0, 0.0004), 4),
        ((0.0, -0.0004), 4),
        ((1.0, 1.0 + 1e-13), 2),
        ((None, 3.0), 2),
        ((), 2),
    ],
)
def test_digits_tell_numbers_apart(values, digits):
    assert digits_apart(values, 2) == digits
