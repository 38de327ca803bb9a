"""HD95 of cases with one empty mask under every policy, by hand."""

import pytest

from unseg_bench.compare.build import compare
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.score.record import Flag

MISSED = (Flag.EMPTY_PREDICTION,)
HEALTHY = (Flag.EMPTY_REFERENCE,)
BOTH = (Flag.EMPTY_PREDICTION, Flag.EMPTY_REFERENCE)
VOLUMES = {"h0": 0.0, "h1": 0.0, "p0": 2.0, "p1": 3.0}


@pytest.fixture
def bold(make_run):
    """Finds something in every case, also in the healthy ones."""
    return make_run(
        "bold", [0, 0, 0.8, 0.8], [90.0, 90.0, 6.0, 8.0], volumes=VOLUMES, flags=dict.fromkeys(("h0", "h1"), HEALTHY)
    )


@pytest.fixture
def shy(make_run):
    """Right about the healthy ones, misses a tumour."""
    flags = {"h0": BOTH, "h1": BOTH, "p0": MISSED}
    return make_run("shy", [1, 1, 0, 0.9], [0.0, 0.0, 90.0, 4.0], volumes=VOLUMES, flags=flags)


def means(found, key="hd95_mm"):
    return [(row.cells[key].mean, row.cells[key].n) for row in found.rows]


def test_the_columns_by_each_policy(bold, shy):
    by_policy = {
        policy: compare([bold, shy], CompareSettings(empty=policy)) for policy in ("diagonal", "exclude", "zero")
    }
    assert means(by_policy["diagonal"]) == [(194 / 4, 4), (94 / 4, 4)]
    assert means(by_policy["exclude"]) == [(7.0, 2), (4 / 3, 3)]
    assert means(by_policy["zero"]) == [(14 / 4, 4), (4 / 4, 4)]
    assert len({tuple(means(found, "dsc")) for found in by_policy.values()}) == 1
    assert {policy: found.empty for policy, found in by_policy.items()} == {policy: policy for policy in by_policy}
    assert "which rewards a method for finding nothing" in by_policy["zero"].notes[-1]
    assert "(bold 2, shy 1 of 4)" in by_policy["exclude"].notes[-1]
    assert by_policy["exclude"].columns[0].empty_references == 2


def test_counts_of_what_is_empty(bold, shy):
    cells = [row.cells["dsc"] for row in compare([bold, shy]).rows]
    assert [cell.empty_predictions for cell in cells] == [0, 1]
    assert [entry.empty_predictions for entry in compare([shy]).entries] == [0, 0, 1, 0]


def test_side_by_side(bold, shy):
    bold_row, shy_row = compare([bold, shy]).policies
    assert [row.empty_predictions for row in (bold_row, shy_row)] == [0, 1]
    assert list(bold_row.cells) == ["diagonal", "exclude", "zero", "rank"]
    assert (bold_row.cells["exclude"].n, shy_row.cells["exclude"].n) == (2, 3)
    # ranks within h0, h1, p0, p1: bold 2, 2, 1, 2 and shy 1, 1, 2, 1
    assert (bold_row.cells["rank"].mean, shy_row.cells["rank"].mean) == (7 / 4, 5 / 4)
    assert [cell.rank for cell in shy_row.cells.values()] == [1.0] * 4
    assert not shy_row.rank_changes


def test_a_policy_that_changes_the_order_is_marked(make_run):
    careless = make_run("careless", [0, 0.9, 0.9], [90.0, 1.0, 1.0], flags={"p00": MISSED})
    steady = make_run("steady", [0.5, 0.5, 0.5], [5.0, 5.0, 5.0])
    row, other = compare([careless, steady]).policies
    assert {policy: cell.rank for policy, cell in row.cells.items()} == {
        "diagonal": 2.0,
        "exclude": 1.0,
        "zero": 1.0,
        "rank": 1.0,
    }
    assert row.rank_changes
    assert other.rank_changes


def test_a_mean_of_ranks_alone_changes_no_place(make_run):
    often = make_run("often better", [0.5, 0.5, 0.5], [1.0, 1.0, 50.0])
    steady = make_run("steady", [0.5, 0.5, 0.5], [2.0, 2.0, 2.0])
    row, _ = compare([often, steady]).policies
    assert [row.cells[policy].rank for policy in ("diagonal", "exclude", "zero", "rank")] == [2.0, 2.0, 2.0, 1.0]
    assert not row.rank_changes


def test_two_that_miss_the_same_case_share_its_rank(make_run):
    runs = [make_run(name, [0, 0.9], [90.0, mm], flags={"p00": MISSED}) for name, mm in (("a", 1.0), ("b", 2.0))]
    assert [row.cells["rank"].mean for row in compare(runs).policies] == [(1.5 + 1) / 2, (1.5 + 2) / 2]


def test_seeds_are_left_out_one_by_one(make_run):
    runs = [
        make_run("m", [0.5, 0.5], [90.0, 4.0], flags={"p00": MISSED}),
        make_run("m", [0.5, 0.5], [2.0, 6.0], seed=1),
    ]
    found = compare(runs, CompareSettings(empty="exclude"))
    assert means(found) == [((2 + 5) / 2, 2)]
    assert found.rows[0].cells["hd95_mm"].empty_predictions == 1
    (row,) = compare(runs).policies
    assert row.cells["zero"].mean == pytest.approx(((0 + 2) / 2 + 5) / 2)


def test_a_method_without_any_case_left(make_run):
    empty = make_run("empty", [0, 0], [90.0, 90.0], flags=dict.fromkeys(("p00", "p01"), MISSED), is_floor=True)
    good = make_run("good", [0.9, 0.9], [1.0, 2.0])
    found = compare([empty, good], CompareSettings(empty="exclude"))
    cell = found.rows[0].cells["hd95_mm"]
    assert (cell.mean, cell.sd, cell.n) == (None, None, 0)
    test = found.test("hd95_mm")
    assert (test.best, test.second, test.p, test.reason) == ("good", None, None, "one method only")
    rival = make_run("rival", [0, 0], [90.0, 90.0], flags=dict.fromkeys(("p00", "p01"), MISSED))
    test = compare([rival, good], CompareSettings(empty="exclude")).test("hd95_mm")
    assert (test.best, test.second, test.p, test.reason) == ("good", None, None, "no other method has a case left")
    assert found.policies[0].cells["exclude"].rank is None
    assert found.policies[0].rank_changes
    assert found.entries[0].values["hd95_mm"] is None
    assert '"mean": null' in found.to_json()
    alone = compare([empty], CompareSettings(empty="exclude")).test("hd95_mm")
    assert (alone.best, alone.reason) == (None, "no case is left")


def test_no_case_in_common_has_no_p(make_run):
    runs = [
        make_run("a", [0, 0.9], [90.0, 1.0], flags={"p00": MISSED}),
        make_run("b", [0.9, 0], [2.0, 90.0], flags={"p01": MISSED}),
    ]
    test = compare(runs, CompareSettings(empty="exclude")).test("hd95_mm")
    assert (test.best, test.second, test.p, test.reason) == (None, None, None, "no case in common")
    assert (test.n, test.firsts, test.seconds) == (0, (), ())
