"""Every test of paired differences against scipy, statsmodels, or an enumeration by itertools."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from unseg_bench.compare.statistics.draws import AT_ONCE, generator
from unseg_bench.compare.statistics.significance import equivalence, sign_flip, t_test, wilcoxon

TIED = np.array([0.0, 0.0, 0.1, -0.1, 0.2, 0.3, 0.3, 0.5])


def drawn(n, shift=0.02, seed=0):
    return np.random.default_rng(seed).normal(shift, 0.1, n)


def flipped_by_hand(d):
    """Share of the 2^n sign flips whose mean is as far from 0."""
    observed = abs(sum(d)) - 1e-12
    return np.mean(
        [
            abs(sum(s * x for s, x in zip(signs, d, strict=True))) >= observed
            for signs in product((1, -1), repeat=len(d))
        ]
    )


@pytest.mark.parametrize("d", [drawn(2), drawn(5), drawn(11), TIED, np.array([0.1, 0.2, -0.3]), np.full(4, 0.25)])
def test_few_cases_take_every_sign_flip(d):
    found, exact = sign_flip(d, 99, generator(0))
    assert exact
    assert found.p == pytest.approx(flipped_by_hand(d.tolist()), abs=1e-12)
    assert found.statistic == pytest.approx(d.mean())


def test_sign_flips_are_scipys():
    d = drawn(9, 0.05)
    expected = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(d, 9_999, generator(0))[0].p == pytest.approx(expected.pvalue, rel=1e-12)


def test_fifteen_cases_are_exact_and_sixteen_are_drawn():
    for n, exact in ((15, True), (16, False)):
        d = drawn(n, 0.04, seed=3)
        found = sign_flip(d, 9_999, generator(1))
        expected = stats.permutation_test(
            (d,), np.mean, permutation_type="samples", n_resamples=9_999, vectorized=True, rng=np.random.default_rng(2)
        )
        assert found[1] is exact
        assert found[0].p == pytest.approx(expected.pvalue, abs=4 * np.sqrt(2 * expected.pvalue / 9_999))
    every_case_better = sign_flip(np.full(15, 0.1) + drawn(15, 0, 1) * 0.01, 9_999, generator(1))[0].p
    assert every_case_better == 2 / 2**15


def test_a_drawn_p_counts_the_data_among_the_flips():
    assert sign_flip(drawn(75, 1.0), 999, generator(0))[0].p == 1 / 1000
    p = sign_flip(drawn(75, 0.01), 999, generator(0))[0].p
    assert p * 1000 == pytest.approx(round(p * 1000))
    assert sign_flip(drawn(75, 0.01), 999, generator(0))[0].p == p


def test_many_cases_are_drawn_in_parts():
    d = drawn(AT_ONCE // 400, 0.001, seed=2)
    p = sign_flip(d, 999, generator(0))[0].p
    assert p * 1000 == pytest.approx(round(p * 1000))
    assert p == pytest.approx(stats.ttest_1samp(d, 0.0).pvalue, abs=0.06)


@pytest.mark.parametrize("n", [2, 3, 15, 75])
def test_t_is_scipys(n):
    a, b = np.random.default_rng(n).beta(8, 2, (2, n))
    found, expected = t_test(a - b), stats.ttest_rel(a, b)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    assert found.p_adjusted is None


@pytest.mark.parametrize(
    "d",
    [
        drawn(75),
        np.round(drawn(75), 2),
        drawn(15),
        np.round(drawn(14), 1),
        TIED,
        np.array([0.0, 0.1, 0.2]),
        np.array([0.0, -0.2]),
        np.round(drawn(9, 0.1), 1),
    ],
    ids=["75", "75 tied", "15", "14 tied", "8 tied with zeros", "3 with a zero", "2 with a zero", "9 tied"],
)
def test_wilcoxon_is_scipys(d):
    found, expected = wilcoxon(d), stats.wilcoxon(d, zero_method="pratt")
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)


def test_wilcoxon_by_hand():
    found = wilcoxon(np.array([1.0, 2.0, 3.0]))
    assert (found.statistic, found.p) == (0.0, 0.25)
    assert wilcoxon(np.linspace(0.1, 0.2, 15)).p == pytest.approx(6.1e-5, abs=5e-7)


def test_the_same_number_in_other_digits_is_a_tie():
    d = np.array([0.8 - 0.7, 0.3 - 0.2, 0.2 - 0.1, 0.1 + 0.2 - 0.3])
    assert len(set(d.tolist())) == 4
    assert wilcoxon(d).p == stats.wilcoxon([0.1, 0.1, 0.1, 0.0], zero_method="pratt").pvalue
    assert sign_flip(d, 99, generator(0))[0].p == 0.25


@pytest.mark.parametrize(("margin", "equivalent"), [(0.02, False), (0.05, True), (0.3, True)])
def test_equivalence_is_statsmodels_and_two_t_tests(margin, equivalent):
    a = np.random.default_rng(1).beta(8, 2, 60)
    b = a - drawn(60, 0.015)
    found = equivalence(a, b, margin)
    one = stats.ttest_1samp(a - b, -margin, alternative="greater").pvalue
    other = stats.ttest_1samp(a - b, margin, alternative="less").pvalue
    assert found.p == pytest.approx(max(one, other), rel=1e-9)
    assert found.p == pytest.approx(ttost_paired(a, b, -margin, margin)[0], rel=1e-9)
    assert (found.margin, found.equivalent, found.reason) == (margin, equivalent, None)


@pytest.mark.parametrize(
    ("d", "t", "flips", "ranks"),
    [
        ([0.3], "one case only", "one case only", "one case only"),
        ([0.0, 0.0, 1e-16], "equal in every case", "equal in every case", "equal in every case"),
        ([0.1, 0.1], "the same difference in every case", None, None),
        ([0.1, 0.3], None, None, None),
    ],
)
def test_no_number_has_its_reason(d, t, flips, ranks):
    d = np.array(d)
    found = [t_test(d), sign_flip(d, 99, generator(0))[0], wilcoxon(d)]
    assert [test.reason for test in found] == [t, flips, ranks]
    for test in found:
        assert (test.p is None) == (test.statistic is None) == (test.reason is not None)
    assert equivalence(d, np.zeros(len(d)), 0.02).reason == t
    assert not equivalence(np.zeros(5), np.zeros(5), 0.02).equivalent


def test_exchangeable_methods_reject_as_often_as_they_should():
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(400):
        scores = np.clip(rng.beta(8, 2, 12) + rng.normal(0, 0.04, (2, 12)), 0, 1)
        scores[rng.random((2, 12)) < 0.08] = 0.0
        p_values.append(sign_flip(scores[0] - scores[1], 99, generator(0))[0].p)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert 0.025 < np.mean(np.array(p_values) < 0.05) < 0.08
