"""All statistics of a table at once: the reference, every record, and tables too small for any."""

import json
from dataclasses import asdict, replace
from statistics import fmean, stdev

import numpy as np
import pytest
from scipy import stats

from unseg_bench.compare.statistics.compute import compute_statistics
from unseg_bench.compare.statistics.record import HYPOTHESES, StatisticsSettings
from unseg_bench.errors import SettingsError

QUICK = StatisticsSettings(resamples=99, bootstraps=20)
HALVES = {"Low": range(6), "High": range(6, 12)}


def test_the_reference_is_the_one_named_or_the_best(make_table, draw_dsc):
    table = make_table(draw_dsc(0, 3, 12), groups=HALVES)
    chosen = compute_statistics(table, QUICK)
    named = compute_statistics(table, replace(QUICK, reference="m2"))
    assert (chosen.reference, chosen.reference_named) == ("m0", False)
    assert (named.reference, named.reference_named) == ("m2", True)
    assert all(pair.a == "m2" for family in named.families for pair in family.pairs)
    assert [family.exploratory for family in chosen.families] == [True, True, True]
    assert [family.exploratory for family in named.families] == [False, False, True]
    assert named.family("groups") is named.families[2]
    assert chosen.hypotheses == HYPOTHESES


def test_an_unknown_reference_names_the_option(make_table, draw_dsc):
    table = make_table(draw_dsc(0, 2, 5))
    with pytest.raises(SettingsError, match=r"--reference m9: no method .* label\. Did you mean 'm"):
        compute_statistics(table, replace(QUICK, reference="m9"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"margin": 0.0}, "--margin 0: .* above 0"),
        ({"correction": "hulm"}, "--correction hulm: .* Did you mean 'holm'"),
        ({"resamples": 0}, "--resamples 0"),
        ({"bootstraps": -1}, "--bootstraps -1"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_settings_are_checked(wrong, message):
    with pytest.raises(SettingsError, match=message):
        StatisticsSettings(**wrong)


def test_means_carry_their_intervals(make_table, draw_dsc):
    dsc = draw_dsc(1, 2, 12)
    dsc["m1"][3] = None
    found = compute_statistics(make_table(dsc, groups=HALVES), QUICK)
    means = {(one.column, one.label): one for one in found.mean_intervals}
    assert set(means) == {(key, label) for key in ("dsc", "hd95_mm", "dsc:low", "dsc:high") for label in dsc}
    own = np.array([value for value in dsc["m1"] if value is not None])
    one = means["dsc", "m1"]
    assert (one.n, one.mean) == (11, pytest.approx(own.mean()))
    expected = stats.t.interval(0.95, 10, own.mean(), stats.sem(own))
    assert (one.t_interval.low, one.t_interval.high) == pytest.approx(expected)
    assert one.bca_interval.low < own.mean() < one.bca_interval.high


def test_seeds_are_told_apart(make_table):
    means = {
        "dsc": {"many": {0: 0.5, 1: 0.6, 2: 0.65}, "one": {4: 0.3}},
        "hd95_mm": {"many": {0: 12.0, 1: 15.0, 2: 9.0}, "one": {4: 30.0}},
    }
    table = make_table({"many": [0.5, 0.6], "one": [0.3, 0.3]}, seed_means=means)
    found = {(one.label, one.metric): one for one in compute_statistics(table, QUICK).seeds}
    assert found["many", "dsc"].sd == pytest.approx(stdev([0.5, 0.6, 0.65]))
    assert found["many", "hd95_mm"].sd == pytest.approx(3.0)
    assert found["many", "dsc"].means == means["dsc"]["many"]
    assert found["one", "dsc"].sd is None


def test_the_same_table_gives_the_same_numbers(make_table, draw_dsc):
    table = make_table(draw_dsc(2, 3, 20))
    assert compute_statistics(table, QUICK) == compute_statistics(table, QUICK)
    other = compute_statistics(table, replace(QUICK, seed=1))
    assert other.families[0].pairs[0].bca_interval != compute_statistics(table, QUICK).families[0].pairs[0].bca_interval


@pytest.mark.parametrize("methods", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["drawn", "equal", "zero", "shifted", "missing", "half missing"])
def test_a_small_table_has_numbers_or_reasons_and_no_warning(make_table, draw_dsc, methods, n, kind):
    dsc = draw_dsc(n, methods, n)
    labels = list(dsc)
    if kind == "equal":
        dsc = dict.fromkeys(labels, [0.5] * n)
    if kind == "zero":
        dsc = dict.fromkeys(labels, [0.0] * n)
    if kind == "shifted":
        dsc = {label: [0.5 + 0.1 * i] * n for i, label in enumerate(labels)}
    if kind == "missing":
        dsc[labels[-1]] = [None] * n
    if kind == "half missing":
        dsc = {
            label: [None if (case + i) % 2 else x for case, x in enumerate(dsc[label])]
            for i, label in enumerate(labels)
        }
    found = compute_statistics(make_table(dsc, groups={"All": range(n)}), QUICK)
    json.dumps(asdict(found), allow_nan=False)
    for family in found.families:
        for pair in family.pairs:
            for test in (pair.t, pair.sign_flip, pair.wilcoxon):
                assert (test.p is None) == (test.p_adjusted is None) == (test.reason is not None)


def test_volumes_of_nothing_are_no_obstacle(make_table, draw_dsc):
    found = compute_statistics(make_table(draw_dsc(3, 2, 6), volumes=[0.0] * 6), QUICK)
    assert found.interactions[0].reason == "fewer than three cases with a tumour"


def test_the_best_mean_counts_only_cases_that_are_there(make_table):
    dsc = {"a": [0.9, None, None], "b": [0.8, 0.8, 0.8], "c": [None] * 3}
    assert fmean([0.9]) > fmean(dsc["b"])
    assert compute_statistics(make_table(dsc), QUICK).reference == "a"
