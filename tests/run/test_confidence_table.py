"""Confidences as sentences and rows, and the table that the harness writes of them."""

import pytest

from unseg_bench.errors import RunError
from unseg_bench.run.confidence import Confidences, level_text, look_text
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.tables import MOST_TABLES, read_table, write_table

RECORD = {
    "cases": ["d", "c", "b", "a", "e"],
    "failed_cases": {"e": "too large"},
    "look_below": 0.5,
    "confidences": {
        "a": {"value": 0.5, "parts": {"x": 1.0}},
        "b": {"value": 0.25, "parts": {"y": 2.0}},
        "c": {"value": 0.25, "parts": {}},
        "e": {"value": 0.0, "parts": {}},
        "not-of-this-run": {"value": 0.0, "parts": {}},
    },
}


def test_the_lowest_comes_first_and_the_level_itself_is_not_below():
    stated = Confidences.of(RECORD)
    assert list(stated.values.items()) == [("b", 0.25), ("c", 0.25), ("a", 0.5)]
    assert stated.look == ("b", "c")
    assert stated.unstated == ("d",)
    assert stated.rows() == [
        {"case": "b", "confidence": 0.25, "x": None, "y": 2.0, "look": True},
        {"case": "c", "confidence": 0.25, "x": None, "y": None, "look": True},
        {"case": "a", "confidence": 0.5, "x": 1.0, "y": None, "look": False},
        {"case": "d", "confidence": None, "x": None, "y": None, "look": None},
    ]
    assert stated.sentences() == [
        "Look at these 2 of 3 cases, whose confidence is below 0.50: b, c",
        "No confidence was stated for 1 of 4 cases: d",
    ]


@pytest.mark.parametrize("record", [{}, {"cases": ["a"]}, {"cases": ["a"], "look_below": None, "confidences": {}}])
def test_a_run_that_states_none_says_nothing(record):
    stated = Confidences.of(record)
    assert (stated.look, stated.unstated, stated.rows(), stated.sentences()) == ((), (), [], [])


def test_a_level_of_0_is_a_level():
    stated = Confidences.of({**RECORD, "look_below": 0.0})
    assert stated.sentences()[0] == "No case to look at: the confidence is below 0.00 in none of 3 cases"


@pytest.mark.parametrize(
    ("look", "cases", "below", "most", "text"),
    [
        (("a",), 1, 0.6, None, "Look at this 1 of 1 case, whose confidence is below 0.60: a"),
        (("a", "b", "c"), 9, 0.6, 2, "Look at these 3 of 9 cases, whose confidence is below 0.60: a, b and 1 more"),
        (("a", "b"), 9, 0.625, 2, "Look at these 2 of 9 cases, whose confidence is below 0.625: a, b"),
        ((), 9, 0.6, 2, "No case to look at: the confidence is below 0.60 in none of 9 cases"),
    ],
)
def test_the_line(look, cases, below, most, text):
    assert look_text(look, cases, below, most) == text


def test_a_level_is_never_shown_as_another():
    assert [level_text(value) for value in (0.6, 0.605, 1, 0)] == ["0.60", "0.605", "1.00", "0.00"]


def test_the_table_is_written_at_the_end_and_again_when_a_case_changed(toy):
    run = toy.run(set={"states": True})
    rows = {row["case"]: row for row in read_table(run, "confidence").records()}
    assert {case: row["confidence"] for case, row in rows.items()} == {
        case: one["value"] for case, one in run.confidences.items()
    }
    assert all(row["look"] is (row["confidence"] < 0.5) for row in rows.values())
    run.own("tables", "confidence.csv").unlink()
    run.forget_case("case-5")
    run.update({"state": "started"})
    toy.run(set={"states": True})
    assert {row["case"]: row for row in read_table(run, "confidence").records()} == rows


def test_a_run_whose_method_states_none_has_no_such_table(toy):
    assert not (toy.run().path / "tables").exists()


def test_a_method_may_fill_all_its_tables_beside_it(toy):
    run = toy.run(set={"states": True})
    for number in range(MOST_TABLES):
        write_table(run, f"t{number}", [{"n": 1}])
    with pytest.raises(RunError, match="no more are kept"):
        write_table(run, "one-more", [{"n": 1}])
    assert len(read_table(run, "confidence").rows) == 3


def test_a_table_that_is_a_link_is_not_written_through(tmp_path):
    from unseg_bench.errors import DataError
    from unseg_bench.run.confidence import write_confidences

    run = RunFolder(tmp_path / "run")
    run.update(RECORD)
    (run.path / "tables").mkdir()
    (tmp_path / "elsewhere").write_text("precious")
    (run.path / "tables" / "confidence.csv").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="is a link"):
        write_confidences(run)
    assert (tmp_path / "elsewhere").read_text() == "precious"
