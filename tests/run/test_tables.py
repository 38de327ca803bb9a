"""Tables of a run: what is written is read back, whole or not at all, and bad names never reach the file system."""

import csv

import numpy as np
import pytest

from unseg_bench.errors import DataError, RunError
from unseg_bench.plugins.tables import MOST_CHARACTERS, table_text
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.tables import MOST_TABLES, read_table, read_tables, write_table

ROWS = [
    {"case": "a, b", "s3f": 0.1 + 0.2, "kept": True, "why": None},
    {"kept": False, "case": '"quoted"\nline', "s3f": 1e-300, "why": "x"},
]


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


def test_rows_are_read_back_to_the_last_bit_in_the_first_ones_order(run):
    write_table(run, "s3f", ROWS)
    table = read_table(run, "s3f")
    assert table.columns == ("case", "s3f", "kept", "why")
    assert table.records() == ROWS
    with (run.path / "tables" / "s3f.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["s3f"] == "0.30000000000000004"


def test_a_table_is_replaced_and_others_stay(run):
    write_table(run, "s3f", ROWS)
    write_table(run, "b-2_C", [{"n": 1}])
    write_table(run, "s3f", [{"n": 2}])
    assert [(table.name, table.records()) for table in read_tables(run)] == [("b-2_C", [{"n": 1}]), ("s3f", [{"n": 2}])]
    assert sorted(path.name for path in (run.path / "tables").iterdir()) == ["b-2_C.csv", "s3f.csv"]


def test_numpys_scalars_are_numbers(run):
    write_table(run, "t", [{"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True)}])
    assert read_table(run, "t").records() == [{"a": 0.5, "b": 3, "c": True}]


def test_what_only_looks_like_a_number_stays_text(run):
    rows = [{"case": "12", "id": "007", "score": "1.50", "n": 7}]
    write_table(run, "t", rows)
    assert read_table(run, "t").records() == rows


def test_text_that_a_spreadsheet_would_run_is_quoted_in_the_file_and_read_back_plain(run):
    rows = [{"case": "=1+1", "@note": "-x", "n": -2.5}]
    write_table(run, "t", rows)
    assert (run.path / "tables" / "t.csv").read_text() == "case,'@note,n\n'=1+1,'-x,-2.5\n"
    assert read_table(run, "t").records() == rows


def test_without_rows_there_is_an_empty_table(run):
    write_table(run, "none", [])
    assert read_table(run, "none").rows == ()
    assert read_tables(RunFolder(run.path / "elsewhere")) == []


@pytest.mark.parametrize("name", ["", "a/b", "..", "a.b", "ä", "a b", "x" * 65, "a\n"])
def test_other_names_are_refused_and_nothing_is_written(run, name):
    with pytest.raises(ValueError, match="letters, digits"):
        write_table(run, name, ROWS)
    assert not run.path.exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": 1}, {"b": 1}], r"row 2 has the names \['b'\]"),
        ([{"a": 1}, {"a": 1, "b": 2}], "row 2 has the names"),
        ([{"a": [1]}], "column 'a' holds a list"),
        ([{"a": "\ud800"}], "surrogates not allowed"),
        ([{"a": "x" * (MOST_CHARACTERS + 1)}], "more than 8,000,000 characters"),
    ],
)
def test_bad_rows_are_refused_and_the_table_before_stays(run, rows, message):
    write_table(run, "t", [{"a": 1}])
    with pytest.raises(ValueError, match=message):
        write_table(run, "t", rows)
    assert read_table(run, "t").records() == [{"a": 1}]


def test_a_run_has_room_for_so_many_tables_and_each_may_be_replaced(run):
    for number in range(MOST_TABLES):
        write_table(run, f"t{number}", [{"a": 1}])
    write_table(run, "t3", [{"a": 2}])
    with pytest.raises(RunError, match="100 tables already"):
        write_table(run, "more", [{"a": 1}])


def test_unknown_and_damaged_tables_are_named(run):
    with pytest.raises(DataError, match=r"no table 's3g'\. It has none"):
        read_table(run, "s3g")
    write_table(run, "s3f", ROWS)
    with pytest.raises(DataError, match="Did you mean 's3f'"):
        read_table(run, "s3g")
    (run.path / "tables" / "s3f.csv").write_text("a,b\n1\n")
    with pytest.raises(DataError, match=r"s3f.csv: not every line has 2 cells"):
        read_tables(run)


def test_text_is_plain_csv():
    assert table_text("t", ROWS[:1]) == 'case,s3f,kept,why\n"a, b",0.30000000000000004,true,\n'
