"""A comparison with known answers, cell by cell, and every mark."""

import json
import math
import statistics
from dataclasses import replace

import pytest
from scipy import stats

from unseg_bench.compare.build import compare
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import CaseScore, Flag

VOLUMES_ML = {f"p{i:02d}": 1.5 * (i + 1) for i in range(10)}


def a_run(label, dsc, hd95_mm=None, *, volumes=VOLUMES_ML, **more):
    """A run with one DSC (and HD95) a case, in the order of the cases' names."""
    hd95_mm = hd95_mm or [10.0] * len(dsc)
    scores = [
        CaseScore(case, ml, ml, dict(zip(BUILT_IN, (own, mm, mm, mm, own, own, own), strict=True)), 90.0)
        for (case, ml), own, mm in zip(volumes.items(), dsc, hd95_mm, strict=True)
    ]
    facts = {"method": label, "seed": 0, "label_free": "sealed", "dataset": "d", "split": "s", "part": "test"}
    return RunScores(**(facts | {"label": label, "scores": scores, "evidence": True} | more))


GOOD = a_run("good", [0.80, 0.82, 0.84, 0.86, 0.88, 0.90, 0.92, 0.94, 0.96, 0.98], [5.0, 6.0] * 5)
FAIR = a_run("fair", [0.70, 0.85, 0.74, 0.80, 0.78, 0.80, 0.85, 0.84, 0.86, 0.80], [4.0, 6.5] * 5)
POOR = a_run("poor", [0.10] * 9 + [1.0], [50.0, 60.0] * 5)


def test_every_cell():
    found = compare([GOOD, FAIR, POOR])
    assert [row.label for row in found.rows] == ["good", "fair", "poor"]
    keys = ["dsc", "hd95_mm", "dsc:size-1/3", "dsc:size-2/3", "dsc:size-3/3"]
    hd95_keys = [key.replace("dsc", "hd95_mm") for key in keys[2:]]
    assert [column.key for column in found.columns] == keys + hd95_keys
    means = {row.label: [row.cells[key].mean for key in keys] for row in found.rows}
    assert means["good"] == pytest.approx([0.89, 5.5, 0.82, 0.88, 0.95])
    assert means["fair"] == pytest.approx([0.802, 5.25, 2.29 / 3, 2.38 / 3, 0.8375])
    assert means["poor"] == pytest.approx([0.19, 55.0, 0.1, 0.1, 0.325])
    spreads = {row.label: [row.cells[key].sd for key in keys] for row in found.rows}
    assert spreads["good"] == pytest.approx(
        [statistics.pstdev([0.01 * i for i in range(80, 99, 2)]), 0.5, *[math.sqrt(8e-4 / 3)] * 2, math.sqrt(5e-4)]
    )
    assert spreads["poor"] == pytest.approx([0.27, 5.0, 0.0, 0.0, 0.9 * math.sqrt(3) / 4])
    assert [found.columns[2].low_ml, found.columns[2].high_ml, found.columns[2].n] == [1.5, 4.5, 3]
    assert [row.cells["dsc"].n for row in found.rows] == [10, 10, 10]


def test_best_and_second_of_every_column():
    found = compare([POOR, FAIR, GOOD])
    ranks = {test.column: (test.best, test.second) for test in found.tests}
    assert ranks["dsc"] == ("good", "fair")
    assert ranks["hd95_mm"] == ("fair", "good")
    assert set(ranks.values()) == {("good", "fair"), ("fair", "good")}


def test_p_is_scipys():
    found = compare([GOOD, FAIR])
    columns = {"dsc": ("dsc", 1), "hd95_mm": ("hd95_mm", -1)}
    for key, (name, sign) in columns.items():
        one, other = ([getattr(score, name) for score in run.scores] for run in (GOOD, FAIR))
        expected = stats.ttest_rel(one, other)
        assert found.test(key).p == pytest.approx(expected.pvalue, rel=1e-9)
        assert found.test(key).t == pytest.approx(sign * expected.statistic, rel=1e-9)


def test_star_needs_p_below_alpha():
    close = a_run("close", [score.dsc - 0.05 - 0.001 * (i % 3) for i, score in enumerate(GOOD.scores)])
    assert compare([GOOD, close]).test("dsc").significant
    assert 0.0001 < compare([GOOD, FAIR]).test("dsc").p < 0.001
    assert compare([GOOD, FAIR]).test("dsc").significant
    assert not compare([GOOD, FAIR], CompareSettings(alpha=0.0001)).test("dsc").significant
    assert not compare([GOOD, FAIR]).test("dsc:size-1/3").significant


def test_identical_methods_have_no_p():
    found = compare([GOOD, a_run("twin", [score.dsc for score in GOOD.scores], [5.0, 6.0] * 5)])
    for test in found.tests:
        assert (test.best, test.second, test.tied) == ("good", "twin", True)
        assert (test.t, test.p, test.reason, test.significant) == (None, None, "equal in every case", False)


def test_the_same_difference_everywhere_has_no_p():
    shifted = a_run("shifted", [score.dsc - 0.1 for score in GOOD.scores])
    assert compare([GOOD, shifted]).test("dsc").reason == "the same difference in every case"


def test_equal_means_of_different_cases_are_tied_with_a_p():
    one = a_run("one", [0.5, 0.75] * 5)
    other = a_run("other", [0.75, 0.5] * 5)
    test = compare([one, other]).test("dsc")
    assert (test.best, test.tied, test.p) == ("one", True, 1.0)


def test_one_method_alone():
    test = compare([GOOD]).test("dsc")
    assert (test.best, test.second, test.p, test.reason) == ("good", None, None, "one method only")


def test_one_case_and_two_cases():
    for count in (1, 2):
        volumes = dict(list(VOLUMES_ML.items())[:count])
        runs = [a_run(label, [dsc, 0.5][:count], volumes=volumes) for label, dsc in (("x", 0.9), ("y", 0.7))]
        found = compare(runs)
        assert [column.group for column in found.columns[2:]] == ["Size 1/1"] * 2
        assert f"{count} case{'s' * (count > 1)} make 1 size group, not 5: a group needs 3" in found.group_notes[0]
        assert (found.rows[0].cells["dsc:size-1/1"].sd is None) == (count == 1)
        assert found.test("dsc").p == (None if count == 1 else pytest.approx(0.5))
    assert compare([a_run("x", [0.9], volumes={"p": 1.0})]).rows[0].cells["dsc"].sd is None


def test_seeds_are_averaged_within_the_case():
    seeds = [a_run("m", [0.1 * (s + 1)] * 5 + [0.5 + 0.1 * s] * 5, seed=s) for s in range(3)]
    other = a_run("n", [0.21, 0.19] * 5)
    (row, _) = compare([seeds[0], other, seeds[1], seeds[2]]).rows
    assert row.seeds == (0, 1, 2)
    assert row.cells["dsc"].mean == pytest.approx(0.4)
    assert row.cells["dsc"].sd == pytest.approx(0.2)  # within cases .2 and .6; the seeds' own spread is not in it
    assert row.cells["dsc:size-1/3"].sd == pytest.approx(0.0)
    assert row.dsc_seed_sd == pytest.approx(statistics.stdev([0.3, 0.4, 0.5]))
    assert compare([other]).rows[0].dsc_seed_sd is None


def test_methods_below_the_best_floor_are_marked():
    floors = [a_run("low floor", [0.15] * 10, is_floor=True), a_run("high floor", [0.81] * 10, is_floor=True)]
    found = compare([GOOD, FAIR, *floors, POOR])
    assert found.floor == "high floor"
    assert {row.label: row.below_floor for row in found.rows} == {
        "good": False,
        "fair": True,
        "low floor": False,
        "high floor": False,
        "poor": True,
    }
    assert compare([GOOD, POOR]).floor is None
    assert not any(row.below_floor for row in compare([GOOD, POOR]).rows)


def test_empty_predictions_are_counted():
    missed = [replace(score, flags=(Flag.EMPTY_PREDICTION,)) for score in GOOD.scores[8:]]
    assert compare([replace(GOOD, scores=[*GOOD.scores[:8], *missed])]).rows[0].cells["dsc"].empty_predictions == 2


def test_label_free_tells_every_seeds_word():
    runs = [a_run("m", [0.5] * 10, seed=s, label_free=word) for s, word in enumerate(["sealed", "ledger", "sealed"])]
    assert compare(runs).rows[0].label_free == "sealed, ledger"


def test_json_keeps_everything():
    found = compare([GOOD, FAIR, a_run("twin", [score.dsc for score in FAIR.scores])])
    read = json.loads(found.to_json())
    assert read["schema"] == "unseg-bench/comparison/4"
    assert list(read) == [
        *("schema", "dataset", "split", "part", "evidence", "scoring_rules", "grouping", "empty", "missing"),
        *(
            "planned",
            "cases",
            "alpha",
            "floor",
            "columns",
            "rows",
            "tests",
            "policies",
            "entries",
            "statistics",
            "published",
            "notes",
        ),
        "group_notes",
        "confidences",
    ]
    cell = found.rows[1].cells["dsc"]
    assert read["rows"][1]["cells"]["dsc"] == {
        "mean": cell.mean,
        "sd": cell.sd,
        "n": 10,
        "empty_predictions": 0,
        "missing": 0,
    }
    assert read["tests"][0]["p"] == found.tests[0].p
