"""Who is tested against whom, and corrected with what."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from unseg_bench.compare.statistics.families import adjusted, families
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.compare.statistics.significance import worst_case_p

QUICK = StatisticsSettings(resamples=199, bootstraps=50)
HALVES = {"Low": range(10), "High": range(10, 20)}
TESTS = ("t", "sign_flip", "wilcoxon", "equivalence")


def holm(p_values):
    """Holm's step-down by its definition."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    found, highest = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        found[i] = highest
    return found


def benjamini_yekutieli(p_values):
    """Step-up false discovery rate under any dependence, by its definition."""
    m = len(p_values)
    harmonic = sum(1 / i for i in range(1, m + 1))
    ranks = stats.rankdata(p_values, method="max")
    raw = [p * m * harmonic / rank for p, rank in zip(p_values, ranks, strict=True)]
    return [min(1.0, *(raw[j] for j in range(m) if p_values[j] >= p_values[i])) for i in range(m)]


@pytest.mark.parametrize("correction", ["holm", "fdr_by"])
def test_corrections_are_statsmodels(correction):
    by_hand = {"holm": holm, "fdr_by": benjamini_yekutieli}[correction]
    rng = np.random.default_rng(0)
    for m in (1, 2, 3, 7, 35):
        p_values = np.round(rng.beta(0.5, 3, m), 2).tolist()  # rounded: with ties
        found = adjusted(p_values, correction)
        assert found == pytest.approx(multipletests(p_values, method=correction)[1])
        assert found == pytest.approx(by_hand(p_values))


def test_a_test_without_p_does_not_count():
    assert adjusted([0.02, None, 0.04], "holm") == [0.04, None, 0.04]
    assert adjusted([None, None], "holm") == [None, None]
    assert adjusted([], "holm") == []


def test_families_are_the_three_that_were_fixed(make_table, draw_dsc):
    found = families(make_table(draw_dsc(0, 4, 20), groups=HALVES), "m1", True, QUICK)
    pairs = {family.key: [(pair.column, pair.a, pair.b) for pair in family.pairs] for family in found}
    rivals = ("m0", "m2", "m3")
    assert pairs == {
        "overall-dsc": [("dsc", "m1", rival) for rival in rivals],
        "overall-hd95": [("hd95_mm", "m1", rival) for rival in rivals],
        "groups": [(key, "m1", rival) for key in ("dsc:low", "dsc:high") for rival in rivals],
    }
    assert [family.exploratory for family in found] == [False, False, True]
    chosen = families(make_table(draw_dsc(0, 4, 20), groups=HALVES), "m1", False, QUICK)
    assert [family.exploratory for family in chosen] == [True, True, True]
    assert [family.title for family in chosen] == [family.title for family in found]


@pytest.mark.parametrize(("correction", "by_hand"), [("holm", holm), ("fdr_by", benjamini_yekutieli)])
def test_each_test_is_corrected_within_its_family(make_table, draw_dsc, correction, by_hand):
    chosen = replace(QUICK, correction=correction)
    for family in families(make_table(draw_dsc(1, 5, 20), groups=HALVES), "m0", True, chosen):
        assert family.correction == correction
        for test in TESTS if family.key != "overall-hd95" else TESTS[:3]:
            results = [getattr(pair, test) for pair in family.pairs]
            expected = by_hand([result.p for result in results])
            assert [result.p_adjusted for result in results] == pytest.approx(expected), (family.key, test)


def test_a_pair_holds_the_scipy_numbers(make_table, draw_dsc):
    dsc = draw_dsc(2, 2, 40)
    (pair,) = families(make_table(dsc), "m0", True, QUICK)[0].pairs
    a, b = np.array(dsc["m0"]), np.array(dsc["m1"])
    assert pair.n == 40
    assert pair.mean_difference == pytest.approx((a - b).mean())
    assert pair.t.p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert pair.wilcoxon.p == pytest.approx(stats.wilcoxon(a, b, zero_method="pratt").pvalue)
    assert pair.t_interval.low == pytest.approx(stats.ttest_rel(a, b).confidence_interval().low)
    assert pair.bca_interval.low < pair.mean_difference < pair.bca_interval.high
    d = a - b
    wins = int((d > 0).sum())
    assert (pair.sign.statistic, pair.sign.p) == (wins, pytest.approx(stats.binomtest(max(wins, 40 - wins), 40).pvalue))
    assert pair.median_difference == np.median(d)
    assert pair.worst_case_p == pytest.approx(worst_case_p(d, -b.mean()))
    assert not pair.sign_flip_exact
    assert pair.equivalence is not None


def test_hd95_keeps_the_sign_and_turns_the_wins(make_table):
    table = make_table({"good": [0.9, 0.8, 0.9, 0.6], "poor": [0.8, 0.6, 0.7, 0.6]})
    (pair,) = families(table, "good", True, QUICK)[1].pairs
    assert pair.mean_difference == pytest.approx(-12.5)
    assert (pair.wins, pair.ties, pair.losses) == (3, 1, 0)
    assert pair.equivalence is None


def test_only_cases_with_both_values_count(make_table):
    dsc = {"a": [0.9, None, 0.7, 0.8], "b": [0.5, 0.6, None, 0.6], "c": [None, 0.2, 0.2, None], "d": [None] * 4}
    family = families(make_table(dsc), "a", True, QUICK)[0]
    assert [(pair.b, pair.n) for pair in family.pairs] == [("b", 2), ("c", 1)]
    assert family.pairs[0].mean_difference == pytest.approx(0.3)
    assert family.pairs[0].bca_interval.reason == "two cases only"
    one = family.pairs[1]
    assert {getattr(one, test).reason for test in TESTS} == {"one case only"}
    assert (one.dz, one.rank_biserial, one.hodges_lehmann) == (None, 1.0, pytest.approx(0.5))
    assert family.pairs[0].t.p_adjusted == family.pairs[0].t.p


def test_another_method_changes_nothing_but_the_correction(make_table, draw_dsc):
    dsc = draw_dsc(3, 4, 30)
    few = families(make_table({label: dsc[label] for label in ("m0", "m2")}), "m0", True, QUICK)[0].pairs[0]
    more = families(make_table(dsc), "m0", True, QUICK)[0].pairs[1]
    assert (few.sign_flip.p, few.bca_interval) == (more.sign_flip.p, more.bca_interval)
    assert few.sign_flip.p_adjusted < more.sign_flip.p_adjusted


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(*[st.integers(0, 10).map(lambda number: number / 10)] * 2), min_size=3, max_size=24),
    st.randoms(use_true_random=False),
)
def test_neither_side_nor_order_of_cases_matters(make_table, scores, chance):
    there = families(make_table({"x": [x for x, _ in scores], "y": [y for _, y in scores]}), "x", True, QUICK)[0].pairs
    shuffled = list(scores)
    chance.shuffle(shuffled)
    turned = make_table({"x": [x for x, _ in shuffled], "y": [y for _, y in shuffled]})
    back = families(turned, "y", True, QUICK)[0].pairs
    there, back = there[0], back[0]
    assert back.mean_difference == pytest.approx(-there.mean_difference, abs=1e-12)
    assert back.sign_flip.p == there.sign_flip.p
    for test in ("t", "wilcoxon", "equivalence"):
        one, other = getattr(there, test), getattr(back, test)
        assert (other.p, other.reason) == (pytest.approx(one.p, abs=1e-9) if one.p is not None else None, one.reason)
    assert (back.wins, back.ties, back.losses) == (there.losses, there.ties, there.wins)
    for name in ("t_interval", "bca_interval"):
        one, other = getattr(there, name), getattr(back, name)
        assert other.reason == one.reason
        if one.low is not None:
            assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-12)
