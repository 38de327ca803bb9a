"""Cases that one method lacks: refused, left out, or the worst that there is."""

import statistics
from dataclasses import replace

import pytest

from unseg_bench.compare.build import compare
from unseg_bench.compare.inputs import CaseFacts
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.errors import ScoreError, SettingsError

COMMON = CompareSettings(missing="common")
WORST = CompareSettings(missing="worst")


@pytest.fixture
def full(make_run):
    return make_run("full", [0.6, 0.7, 0.8, 0.9], [4.0, 3.0, 2.0, 1.0])


@pytest.fixture
def short(make_run):
    """Lacks the first and the last case."""
    run = make_run("short", [0.5, 0.9, 0.9, 0.5])
    return replace(run, scores=run.scores[1:3])


def test_refused_with_both_remedies(full, short):
    for runs in ([full, short], [short, full]):
        message = r"short \(seed 0\) lacks 2 of the cases of full .*: p00, p03; --missing common .* --missing worst"
        with pytest.raises(ScoreError, match=message):
            compare(runs)


def test_common_cases_only(full, short):
    found = compare([full, short], COMMON)
    assert found.missing == "common"
    assert found.cases == ("p01", "p02")
    assert [row.cells["dsc"].mean for row in found.rows] == pytest.approx([0.75, 0.9])
    assert [row.cells["dsc"].missing for row in found.rows] == [0, 2]
    assert [row.cells["dsc:size-1/1"].missing for row in found.rows] == [0, 0]
    assert [(entry.label, entry.case) for entry in found.entries if entry.values["dsc"] is not None] == [
        *(("full", "p01"), ("full", "p02"), ("short", "p01"), ("short", "p02"))
    ]
    assert [(one.label, one.case, one.missing) for one in found.entries if one.missing] == [
        *(("short", "p00", 1), ("short", "p03", 1))
    ]
    assert "2 of 4 cases are left out, since not every run has them: short (seed 0) lacks 2 (p00, p03)" in found.notes


def test_common_is_the_comparison_of_the_common_cases(full, short):
    alone = compare([replace(full, scores=full.scores[1:3]), short])
    found = compare([full, short], COMMON)
    assert (found.tests, found.columns, found.policies) == (alone.tests, alone.columns, alone.policies)
    assert [row.cells["dsc"].mean for row in found.rows] == [row.cells["dsc"].mean for row in alone.rows]


def test_the_worst_for_a_missing_case(full, short):
    found = compare([full, short], WORST)
    row = found.rows[1]
    assert found.cases == ("p00", "p01", "p02", "p03")
    assert row.cells["dsc"].mean == pytest.approx((0 + 0.9 + 0.9 + 0) / 4)
    assert row.cells["hd95_mm"].mean == pytest.approx((90 + 10 + 10 + 90) / 4)
    assert [row.cells[key].missing for key in ("dsc", "hd95_mm", "dsc:size-1/1")] == [2, 2, 2]
    assert found.rows[0].cells["dsc"].missing == 0
    assert found.test("dsc").best == "full"
    first = next(entry for entry in found.entries if (entry.label, entry.case) == ("short", "p00"))
    assert (*first.values.values(), first.predicted_ml, first.seeds, first.missing) == (0.0, 90.0, None, 0, 1)
    assert first.tumour_ml == 1.5
    (note,) = [note for note in found.notes if "missing" in note]
    assert note.endswith("DSC 0 and an HD95 of its grid's diagonal: short (seed 0) lacks 2 (p00, p03)")


def test_a_case_that_one_seed_of_two_lacks(full, short):
    again = replace(full, label="short", method="short", seed=1)
    found = compare([short, again], WORST)
    (row,) = found.rows
    assert row.cells["dsc"].mean == pytest.approx(statistics.fmean([0.3, 0.8, 0.85, 0.45]))
    assert row.cells["dsc"].missing == 2
    assert row.dsc_seed_sd == pytest.approx(statistics.stdev([0.75, 0.45]))
    entry = found.entries[0]
    assert (entry.case, entry.values["dsc"], entry.seeds, entry.missing) == ("p00", 0.3, 1, 1)


def test_a_missing_case_ranks_last_under_every_policy(full, short):
    policies = compare([full, short], WORST).policies
    assert policies[1].cells["exclude"].mean == pytest.approx(50.0)
    assert policies[1].cells["zero"].mean == pytest.approx(50.0)
    assert policies[1].cells["rank"].mean == pytest.approx(2.0)


def test_nothing_in_common(full, make_run):
    other = make_run("other", [0.5], volumes={"q": 3.0})
    with pytest.raises(ScoreError, match="no case is in every run"):
        compare([full, other], COMMON)
    assert len(compare([full, other], WORST).cases) == 5


@pytest.mark.parametrize("missing", ["common", "worst"])
def test_another_reference_is_still_refused(full, short, missing):
    odd = replace(short, scores=[replace(score, tumour_ml=9.9) for score in short.scores])
    with pytest.raises(ScoreError, match="case p01: the reference has 3 ml"):
        compare([full, odd], CompareSettings(missing=missing))


def test_unknown_words_are_refused():
    with pytest.raises(SettingsError, match=r"--missing comon: .* Did you mean 'common'"):
        CompareSettings(missing="comon")
    with pytest.raises(SettingsError, match=r"--empty rank: .* Known: diagonal, exclude, zero"):
        CompareSettings(empty="rank")
    with pytest.raises(SettingsError, match="--alpha 5"):
        CompareSettings(alpha=5.0)


def test_missing_is_counted_against_the_runs_own_record(make_run):
    """A method that failed on 18 of 20 cases, alone in its table."""
    cases = tuple(f"p{i:02d}" for i in range(20))
    run = replace(make_run("lucky", [0.9, 0.8]), cases=cases)
    found = compare([run])
    assert (found.planned, found.cases) == (20, ("p00", "p01"))
    cell = found.rows[0].cells["dsc"]
    assert (cell.mean, cell.n, cell.missing) == (pytest.approx(0.85), 2, 18)
    (note,) = [note for note in found.notes if "lucky" in note]
    assert note.startswith(
        "18 of 20 cases are in no mean, since no run has them: lucky (seed 0) lacks 18 (p02, p03, p04"
    )
    assert note.endswith("--missing worst counts them")
    assert sum(entry.missing for entry in found.entries) == 18


def test_the_worst_counts_cases_that_no_run_has(make_run):
    cases = tuple(f"p{i:02d}" for i in range(20))
    run = replace(make_run("lucky", [0.9, 0.8]), cases=cases)
    found = compare([run], CompareSettings(missing="worst", statistics=StatisticsSettings()))
    assert found.cases == cases
    cell = found.rows[0].cells["dsc"]
    assert (cell.mean, cell.n, cell.missing) == (pytest.approx(1.7 / 20), 20, 18)
    assert found.rows[0].cells["hd95_mm"].mean == pytest.approx((2 * 10 + 18 * 90) / 20)
    assert [entry.values["dsc"] for entry in found.entries] == [0.9, 0.8] + [0.0] * 18
    assert [entry.tumour_ml for entry in found.entries[2:]] == [None] * 18
    assert statistics.fmean(entry.values["hd95_mm"] for entry in found.entries) == found.rows[0].cells["hd95_mm"].mean
    assert "the reference of 18 is not known here" in found.notes[0]
    assert found.to_json()


@pytest.mark.parametrize("missing", ["common", "worst"])
def test_entries_hold_what_the_means_are_made_of(full, short, missing):
    found = compare([full, short], CompareSettings(missing=missing))
    for row in found.rows:
        for name in ("dsc", "hd95_mm"):
            own = [one.values[name] for one in found.entries if one.label == row.label]
            assert statistics.fmean(x for x in own if x is not None) == pytest.approx(row.cells[name].mean)


def test_what_the_record_knows_of_a_missing_case_puts_it_in_its_group(make_run):
    cases = tuple(f"p{i:02d}" for i in range(6))
    facts = {"p02": CaseFacts(0.5, 40.0), "p03": CaseFacts(0.7, 40.0), "p04": CaseFacts(0.9, 40.0)}
    run = replace(make_run("m", [0.9, 0.8]), cases=cases, unscored=facts)
    found = compare([run], CompareSettings(missing="worst", groups=1))
    assert found.cases == ("p02", "p03", "p04", "p00", "p01", "p05")
    assert [entry.tumour_ml for entry in found.entries] == [0.5, 0.7, 0.9, 1.5, 3.0, None]
    row = found.rows[0]
    assert row.cells["hd95_mm"].mean == pytest.approx((3 * 40 + 2 * 10 + 90) / 6)
    assert (row.cells["dsc:size-1/1"].n, row.cells["dsc:size-1/1"].missing) == (5, 3)
    assert "the reference of 1 is not known here" in found.notes[0]
