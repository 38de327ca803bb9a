"""Ranks by hand, bootstraps against a loop of our own, tau against scipy."""

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from unseg_bench.compare.statistics.ranking import median_tau, ranking
from unseg_bench.compare.statistics.record import StatisticsSettings

SETTINGS = StatisticsSettings()


def test_both_ways_by_hand(make_table):
    table = make_table({"steady": [0.6, 0.6, 0.6], "erratic": [0.7, 0.7, 0.0], "poor": [0.1, 0.1, 0.1]})
    dsc, hd95 = (ranking(table, column, SETTINGS) for column in table.columns)
    assert dsc.mean_then_rank == {"steady": 1.0, "erratic": 2.0, "poor": 3.0}
    assert dsc.rank_then_mean == pytest.approx({"steady": 5 / 3, "erratic": 5 / 3, "poor": 8 / 3})
    assert (dsc.metric, hd95.metric) == ("dsc", "hd95_mm")
    assert hd95.mean_then_rank == dsc.mean_then_rank
    assert hd95.rank_then_mean == dsc.rank_then_mean


def test_a_method_that_always_wins(make_table):
    table = make_table({"worst": [0.1, 0.2, 0.1], "best": [0.9, 0.8, 0.9], "middle": [0.5, 0.5, 0.6]})
    found = ranking(table, table.columns[0], SETTINGS)
    assert found.first == {"worst": 0.0, "best": 1.0, "middle": 0.0}
    assert found.counts == {"worst": (0, 0, 1000), "best": (1000, 0, 0), "middle": (0, 1000, 0)}
    assert found.rank_low == found.rank_high == found.mean_then_rank
    assert found.kendall_tau == 1.0


def test_twins_share(make_table):
    table = make_table({"one": [0.8, 0.7, 0.1], "two": [0.8, 0.7, 0.1], "third": [0.2, 0.1, 0.0]})
    found = ranking(table, table.columns[0], SETTINGS)
    assert found.mean_then_rank == found.rank_then_mean == {"one": 1.5, "two": 1.5, "third": 3.0}
    assert found.first == {"one": 0.5, "two": 0.5, "third": 0.0}
    assert found.counts["one"] == found.counts["two"] == (1000, 0, 0)
    alone = ranking(make_table({"one": [0.8, 0.7]}), table.columns[0], SETTINGS)
    assert (alone.first, alone.kendall_tau) == ({"one": 1.0}, None)
    twins = make_table({"one": [0.8, 0.7], "two": [0.8, 0.7]})
    assert ranking(twins, twins.columns[0], SETTINGS).kendall_tau is None


def test_a_missing_case_takes_the_worst_rank(make_table):
    table = make_table({"a": [0.9, None, 0.9], "b": [0.5, 0.5, 0.5], "c": [0.4, 0.4, None], "d": [None, None, None]})
    found = ranking(table, table.columns[0], SETTINGS)
    assert found.rank_then_mean == pytest.approx({"a": 5.5 / 3, "b": 5 / 3, "c": 8.5 / 3, "d": 11 / 3})
    assert found.mean_then_rank == {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert found.rank_low["d"] > found.rank_low["b"]
    assert sum(found.first.values()) == pytest.approx(1.0)


def test_bootstraps_agree_with_a_plain_loop(make_table, draw_dsc):
    dsc = draw_dsc(4, 4, 25, step=0.01)
    found = ranking(make_table(dsc), make_table(dsc).columns[0], replace(SETTINGS, bootstraps=4000))
    rng = np.random.default_rng(99)
    places = []
    for _ in range(1000):
        patients = rng.integers(0, 25, 25)
        means = {label: fmean(own[i] for i in patients) for label, own in dsc.items()}
        order = sorted(means, key=lambda label: -means[label])
        places.append([order.index(label) + 1 for label in dsc])
    places = np.array(places)
    for i, label in enumerate(dsc):
        assert found.first[label] == pytest.approx((places[:, i] == 1).mean(), abs=0.06)
        shares = [(places[:, i] == place).mean() for place in (1, 2, 3, 4)]
        assert np.array(found.counts[label]) / 4000 == pytest.approx(shares, abs=0.06)
        assert sum(found.counts[label]) == 4000
    full = [found.mean_then_rank[label] for label in dsc]
    taus = [stats.kendalltau(row, full).statistic for row in places]
    assert found.kendall_tau == pytest.approx(np.median(taus), abs=1e-9)


def test_another_method_leaves_the_draws_of_others(make_table, draw_dsc):
    dsc = draw_dsc(5, 3, 20, step=0.005)
    hopeless = dsc | {"none": [0.0] * 20}
    few, more = (ranking(make_table(own), make_table(own).columns[0], SETTINGS) for own in (dsc, hopeless))
    assert {label: more.first[label] for label in dsc} == few.first


def test_tau_is_scipys_row_by_row():
    rng = np.random.default_rng(0)
    full = np.array([1.0, 2.5, 2.5, 4.0, 5.0])
    rows = stats.rankdata(rng.integers(0, 4, (51, 5)), axis=1)
    expected = np.nanmedian([stats.kendalltau(row, full).statistic for row in rows])
    assert median_tau(rows, full) == pytest.approx(expected)
    assert median_tau(np.vstack([rows[:1], np.full((1, 5), 3.0)]), full) == pytest.approx(
        stats.kendalltau(rows[0], full).statistic
    )
