"""Metrics that were asked for stand beside DSC and HD95 and change nothing about them."""

from dataclasses import replace

import pytest

from unseg_bench.compare.build import compare
from unseg_bench.compare.claims import claims
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.errors import ScoreError, SettingsError
from unseg_bench.plugins.metric import Metric
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import Flag

QUICK = StatisticsSettings(resamples=200, bootstraps=50)
VOLUME = Metric(
    name="volume_error_ml",
    title="volume error",
    unit="ml",
    about="the difference of the two volumes",
    higher_is_better=False,
    best=0.0,
    worst=None,
    measures_empty=True,
)


def measured(run, name, values):
    """The run with these values of a metric, None where a case has none."""
    scores = [
        replace(score, values={one: own for one, own in {**score.values, name: value}.items() if own is not None})
        for score, value in zip(run.scores, values, strict=True)
    ]
    return replace(run, scores=scores, metrics={**BUILT_IN, VOLUME.name: VOLUME})


@pytest.fixture
def runs(make_run):
    dsc = [0.9, 0.7, 0.8, 0.85, 0.6, 0.75, 0.95, 0.5]
    return [make_run("one", dsc), make_run("two", [value - 0.1 for value in dsc]), make_run("three", dsc[::-1])]


def test_what_is_asked_for_comes_last_and_all_else_stays(runs):
    plain = compare(runs, CompareSettings(groups=2, statistics=QUICK))
    asked = compare(runs, CompareSettings(groups=2, statistics=QUICK, metrics=["recall", "dsc"]))
    assert [column.key for column in asked.columns] == [
        *("dsc", "hd95_mm", "recall", "dsc:size-1/2", "dsc:size-2/2", "hd95_mm:size-1/2", "hd95_mm:size-2/2"),
        *("recall:size-1/2", "recall:size-2/2"),
    ]
    keys = {column.key for column in plain.columns}
    for row, other in zip(plain.rows, asked.rows, strict=True):
        assert row == replace(other, cells={key: cell for key, cell in other.cells.items() if key in keys})
    assert [family.key for family in asked.statistics.families] == [
        *("overall-dsc", "overall-hd95", "groups", "overall-recall"),
    ]
    assert asked.statistics.families[:3] == plain.statistics.families
    assert asked.statistics.families[3].exploratory
    for name in ("friedman", "rankings", "seeds", "mean_intervals"):
        assert set(map(repr, getattr(plain.statistics, name))) < set(map(repr, getattr(asked.statistics, name)))
    assert claims(asked) == claims(plain)
    for entry, other in zip(plain.entries, asked.entries, strict=True):
        assert {**entry.to_dict(), "recall": other.values["recall"]} == other.to_dict()


def test_the_policy_on_empty_masks_rules_every_distance_and_nothing_else(make_run):
    flags = {"p01": (Flag.EMPTY_PREDICTION,)}
    run = make_run("one", [0.5, 0.0, 0.5], [10.0, 90.0, 20.0], flags=flags)
    for empty, mean in (("diagonal", 40.0), ("exclude", 15.0), ("zero", 10.0)):
        cells = compare([run], CompareSettings(empty=empty, metrics=["hd_max", "recall"])).rows[0].cells
        assert cells["hd_max_mm"] == cells["hd95_mm"]
        assert cells["hd_max_mm"].mean == pytest.approx(mean)
        assert cells["recall"] == cells["dsc"]


def test_a_metric_that_some_scores_lack_is_missing_there_and_said(runs):
    first, second, third = runs
    values = [float(i) for i in range(8)]
    found = compare(
        [measured(first, VOLUME.name, values), measured(second, VOLUME.name, [*values[:-1], None]), third],
        CompareSettings(metrics=["volume_error"], statistics=QUICK),
    )
    cells = [row.cells[VOLUME.name] for row in found.rows]
    assert [(cell.n, cell.mean) for cell in cells] == [(8, 3.5), (7, 3.0), (0, None)]
    said = "no volume error in the scores of two (seed 0), three (seed 0): the same `ubench run` or `ubench score`"
    assert f"{said} command scores again" in found.notes
    assert found.test(VOLUME.name).n == 7
    pairs = {pair.b: pair for pair in found.statistics.family("overall-volume_error").pairs}
    assert set(pairs) == {"two"}
    assert (pairs["two"].n, pairs["two"].worst_case_p, pairs["two"].equivalence) == (7, None, None)


def test_two_meanings_of_one_name_are_refused_and_so_is_a_name_without_any(runs):
    values = [1.0] * 8
    first, second = (measured(run, VOLUME.name, values) for run in runs[:2])
    other = replace(second, metrics={**BUILT_IN, VOLUME.name: replace(VOLUME, code="other")})
    assert compare([first, other]).metrics == compare(runs).metrics
    with pytest.raises(ScoreError, match=r"'volume_error_ml' is described or computed otherwise for one .seed 0.: "):
        compare([first, other], CompareSettings(metrics=["volume_error"]))
    with pytest.raises(SettingsError, match=r"--missing worst: metric 'volume_error_ml' has no worst value"):
        compare([first, second], CompareSettings(metrics=["volume_error"], missing="worst"))
    with pytest.raises(SettingsError, match=r"--metric volume_error: there is no such metric\."):
        compare(runs, CompareSettings(metrics=["volume_error"]))


def test_a_missing_prediction_counts_as_the_worst_that_the_metric_knows(runs):
    first, second = runs[0], replace(runs[1], scores=runs[1].scores[:-1])
    found = compare([first, second], CompareSettings(metrics=["recall", "hd_max"], missing="worst"))
    entry = next(one for one in found.entries if one.label == "two" and one.case == "p07")
    assert (entry.values["recall"], entry.values["hd_max_mm"]) == (0.0, 90.0)
