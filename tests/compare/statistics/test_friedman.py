"""Friedman's test against scipy, Nemenyi's difference against published values, cliques by hand."""

import math

import pytest
from scipy import stats

from unseg_bench.compare.statistics.friedman import cliques, critical_difference, friedman


@pytest.mark.parametrize(
    ("methods", "cases", "expected"),
    [
        (8, 75, 1.21),
        (8, 15, 2.71),
        (4, 14, 2.569 * math.sqrt(4 * 5 / (6 * 14))),  # Demšar 2006, table 5: q(.05) = 2.569 for 4, 3.164 for 10
        (10, 30, 3.164 * math.sqrt(10 * 11 / (6 * 30))),
    ],
)
def test_critical_difference_is_the_published_one(methods, cases, expected):
    assert critical_difference(methods, cases) == pytest.approx(expected, abs=0.005)


def test_statistic_is_scipys(make_table, draw_dsc):
    dsc = draw_dsc(0, 5, 30)
    table = make_table(dsc)
    for column in table.columns[:2]:
        found = friedman(table, column)
        expected = stats.friedmanchisquare(*dsc.values())
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
        assert (found.metric, found.n, found.reason) == (column.metric.name, 30, None)
        assert found.critical_difference == critical_difference(5, 30)


def test_ranks_by_hand_over_cases_that_all_have(make_table):
    dsc = {"a": [0.9, 0.8, 0.5, 0.1], "b": [0.8, 0.8, 0.7, None], "c": [0.1, 0.2, 0.3, 0.4]}
    table = make_table(dsc)
    for column in table.columns:
        found = friedman(table, column)
        assert found.n == 3
        assert found.mean_ranks == pytest.approx({"a": 4.5 / 3, "b": 4.5 / 3, "c": 3.0})


@pytest.mark.parametrize(
    ("ranks", "difference", "expected"),
    [
        ({"a": 1.0, "b": 2.0, "c": 3.0, "d": 5.0}, 1.5, [("a", "b"), ("b", "c")]),
        ({"d": 5.0, "c": 3.0, "b": 2.0, "a": 1.0}, 1.5, [("a", "b"), ("b", "c")]),
        ({"a": 1.0, "b": 1.4, "c": 1.8, "d": 3.0}, 1.5, [("a", "b", "c"), ("c", "d")]),
        ({"a": 1.0, "b": 2.5}, 1.5, []),
        ({"a": 1.0, "b": 2.4, "c": 2.45}, 5.0, [("a", "b", "c")]),
        ({"a": 1.0, "b": 4.0, "c": 4.0}, 1.0, [("b", "c")]),
    ],
)
def test_cliques_by_hand(ranks, difference, expected):
    assert list(cliques(ranks, difference)) == expected


@pytest.mark.parametrize(
    ("dsc", "reason"),
    [
        ({"a": [0.1, 0.2], "b": [0.3, 0.4]}, "fewer than three methods"),
        ({"a": [0.1], "b": [0.3], "c": [0.2]}, "one case only"),
        ({label: [0.1, 0.2, 0.3] for label in "abc"}, "every method is equal in every case"),
        ({"a": [None, 0.2], "b": [0.3, None], "c": [0.2, 0.2]}, "no case that every method has a value for"),
    ],
)
def test_no_test_has_its_reason(make_table, dsc, reason):
    table = make_table(dsc)
    found = friedman(table, table.columns[0])
    assert (found.reason, found.statistic, found.p, found.critical_difference) == (reason, None, None, None)
    assert found.cliques == ()
