"""Which rows may be best of a column, over which cases, and what stands apart."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unseg_bench.compare.build import compare
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.standing import sections
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.score.record import Flag

MISSED = (Flag.EMPTY_PREDICTION,)
FREE, LABELS, UNKNOWN = "yes (sealed)", "no: 3 masks", "unknown (made elsewhere)"


def test_label_free_rows_compete_and_the_others_stand_apart(make_run):
    runs = [
        make_run("oracle", [0.95, 0.96, 0.97], label_free=LABELS, is_ceiling=True),
        make_run("clisc", [0.6, 0.7, 0.8], label_free=FREE),
        make_run("supervised", [0.9, 0.91, 0.93], label_free=LABELS),
        make_run("salip", [0.5, 0.55, 0.7], label_free="yes (ledger, own weights)"),
        make_run("theirs", [0.8, 0.82, 0.9], label_free=UNKNOWN),
        make_run("rule", [0.7, 0.75, 0.85], label_free=FREE, is_floor=True),
    ]
    found = compare(runs, CompareSettings(statistics=StatisticsSettings()))
    assert {row.label: row.section for row in found.rows} == {
        "oracle": "ceilings",
        "clisc": "",
        "supervised": "with labels",
        "salip": "",
        "theirs": "labels unknown",
        "rule": "floors",
    }
    assert (found.test("dsc").best, found.test("dsc").second) == ("clisc", "salip")
    assert found.statistics.reference == "clisc"
    assert {pair.b for pair in found.statistics.family("overall-dsc").pairs} == {*found.labels} - {"clisc"}


@pytest.mark.parametrize(
    ("kinds", "competing"),
    [
        ({"a": (LABELS, ""), "b": (UNKNOWN, ""), "c": (FREE, "floor")}, {"a", "b"}),
        ({"a": (FREE, "floor"), "b": (LABELS, "ceiling")}, {"a"}),
        ({"a": (LABELS, "ceiling")}, {"a"}),
        ({"a": (FREE, ""), "b": (LABELS, "")}, {"a"}),
    ],
)
def test_where_no_label_free_method_is_the_next_best_kind_competes(make_run, kinds, competing):
    runs = [
        make_run(label, [0.5], label_free=free, is_floor=what == "floor", is_ceiling=what == "ceiling")
        for label, (free, what) in kinds.items()
    ]
    assert {label for label, section in sections(runs).items() if not section} == competing


def test_one_seed_that_read_labels_makes_the_row_one_with_labels(make_run):
    runs = [make_run("m", [0.5], label_free=FREE), make_run("m", [0.5], label_free=LABELS, seed=1)]
    assert sections([*runs, make_run("n", [0.5], label_free=FREE)]) == {"m": "with labels", "n": ""}


def test_ranked_and_tested_over_the_same_cases(make_run):
    """Under `exclude`, a method that is worse on every shared case has the better mean of its own cases."""
    hard = dict.fromkeys([f"p{i:02d}" for i in range(6)], MISSED)
    careless = make_run("careless", [0.5] * 20, [90.0] * 6 + [2.0 + 0.01 * i for i in range(14)], flags=hard)
    careful = make_run("careful", [0.5] * 20, [40.0] * 6 + [1.0 + 0.02 * i for i in range(14)])
    found = compare([careless, careful], CompareSettings(empty="exclude"))
    assert found.rows[0].cells["hd95_mm"].mean < found.rows[1].cells["hd95_mm"].mean
    test = found.test("hd95_mm")
    assert (test.best, test.second, test.n, test.significant) == ("careful", "careless", 14, True)
    assert test.t < 0


VALUE = st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.floats(1, 80), st.booleans())


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=2, max_size=25), st.sampled_from(["diagonal", "exclude"]))
def test_no_star_points_the_other_way(make_run, rows, empty):
    runs = []
    for number, label in enumerate("abc"):
        own = [row[number] for row in rows]
        flags = {f"p{i:02d}": MISSED for i, (_, _, missed) in enumerate(own) if missed}
        runs.append(make_run(label, [dsc for dsc, _, _ in own], [mm for _, mm, _ in own], flags=flags))
    found = compare(runs, CompareSettings(empty=empty))
    values = {(entry.label, entry.case): entry for entry in found.entries}
    for column in found.columns[:2]:
        test, name = found.test(column.key), column.metric.name
        if test.second is None:
            continue
        labels = [row.label for row in found.rows if row.cells[column.key].mean is not None]
        both = [
            [values[label, case].values[name] for label in (test.best, test.second)]
            for case in found.cases
            if all(values[label, case].values[name] is not None for label in labels)
        ]
        assert len(both) == test.n
        lead = sum(x - y for x, y in both) * (1 if column.higher_is_better else -1)
        assert lead >= -1e-9
        if test.significant:
            assert lead > 0


def test_a_group_of_few_cases_has_no_interval(make_run):
    runs = [make_run(label, [0.5 + 0.01 * (i * k % 7) for i in range(9)]) for k, label in enumerate("ab", start=1)]
    found = compare(runs, CompareSettings(groups=3, statistics=StatisticsSettings())).statistics
    intervals = {one.column: one.bca_interval for one in found.mean_intervals if one.label == "b"}
    assert intervals["dsc"].low is not None
    assert intervals["dsc:size-1/3"].reason == "fewer than 5 cases"
    assert {pair.t_interval.reason for pair in found.family("groups").pairs} == {"fewer than 5 cases"}
    more = compare(runs, CompareSettings(groups=1, statistics=StatisticsSettings())).statistics
    assert all(pair.bca_interval.reason is None for pair in more.family("groups").pairs)


def test_a_run_that_failed_keeps_its_row_and_its_reason(make_run):
    good = make_run("good", [0.5, 0.75, 0.9])
    failed = replace(make_run("broken", []), failure="no space left", cases=tuple(s.case for s in good.scores))
    for missing in ("refuse", "common", "worst"):
        found = compare([failed, good], CompareSettings(missing=missing, statistics=StatisticsSettings()))
        row = found.rows[0]
        assert (row.label, row.failure) == ("broken", "no space left")
        assert (row.cells["dsc"].mean, row.cells["dsc"].missing) == (None, 3)
        assert "no scores, so no means: broken (seed 0): no space left" in found.notes
        assert found.test("dsc").best == found.statistics.reference == "good"
        assert found.cases == ("p00", "p01", "p02")
        assert found.statistics.family("overall-dsc").pairs == ()
        assert found.measured == ("good",)
        assert not any("empty mask" in note for note in found.notes)


def test_a_seed_that_failed_is_told_and_counted(make_run):
    seeds = [make_run("m", [0.4, 0.6]), make_run("m", [], seed=1, failure="killed", cases=("p00", "p01"))]
    (row,) = compare(seeds).rows
    assert (row.failure, row.seeds, row.cells["dsc"].missing) == ("seed 1: killed", (0, 1), 2)
    assert row.cells["dsc"].mean == pytest.approx(0.5)
    (row,) = compare(seeds, CompareSettings(missing="worst")).rows
    assert row.cells["dsc"].mean == pytest.approx(0.25)
