"""Groups by a column of the cohort's own table."""

import pytest

from unseg_bench.compare.build import compare
from unseg_bench.compare.cohort_table import GroupColumn, read_column
from unseg_bench.compare.groups import group_by_column
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.errors import DataError, SettingsError
from unseg_bench.score.metrics import DSC

CASES = [f"p{i:02d}" for i in range(10)]
GRADES = ["HGG"] * 6 + ["LGG"] * 3 + [""]
AGES = [30.5, 41.0, 22.0, 70.0, 65.5, 58.0, 33.0, 47.5, 51.0, 61.0]


@pytest.fixture
def write(tmp_path):
    """Write a cohort's table with a row for each of ten cases, and return its path."""

    def to_file(delimiter=",", encoding="utf-8", lines=None):
        rows = zip(GRADES, [f"old_{case}" for case in CASES], CASES, map(str, AGES), strict=True)
        lines = lines or ["Grade,Old ID,New ID,Age".replace(",", delimiter), *(delimiter.join(row) for row in rows)]
        path = tmp_path / "name_mapping.csv"
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return to_file


@pytest.fixture
def runs(make_run):
    return [make_run("one", [0.05 * i + 0.4 for i in range(10)]), make_run("two", [0.5] * 10)]


def by(path, column, groups=5):
    return CompareSettings(group_by=GroupColumn(path, column), groups=groups)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_any_usual_csv_and_the_right_column_of_ids(write, delimiter, encoding):
    path = write(delimiter, encoding)
    assert read_column(GroupColumn(path, "Grade"), CASES) == dict(zip(CASES, GRADES, strict=True))
    assert read_column(GroupColumn(path, "Age"), CASES[3:5]) == {"p03": "70.0", "p04": "65.5"}


def test_groups_of_words(write, runs):
    found = compare(runs, by(write(), "Grade"))
    assert found.grouping == "Grade"
    assert [column.key for column in found.columns] == [
        *("dsc", "hd95_mm", "dsc:hgg", "dsc:lgg", "dsc:not-given"),
        *("hd95_mm:hgg", "hd95_mm:lgg", "hd95_mm:not-given"),
    ]
    assert [(column.group, column.n, column.few) for column in found.columns[2:5]] == [
        *[("HGG", 6, False), ("LGG", 3, True), ("not given", 1, True)]
    ]
    assert (found.columns[3].low_ml, found.columns[3].high_ml) == (10.5, 13.5)
    assert found.rows[0].cells["dsc:lgg"].mean == pytest.approx((0.7 + 0.75 + 0.8) / 3)
    assert found.group_notes == ("fewer than 5 cases in LGG, not given: such means say little",)
    assert {entry.case: entry.group for entry in found.entries}["p09"] == "not given"


def test_numbers_of_many_values_are_cut_evenly(write, runs):
    found = compare(runs, by(write(), "Age", groups=2))
    names = [column.group for column in found.columns if column.metric == DSC]
    assert names == [None, "Age 22 to 47.5", "Age 51 to 70"]
    assert found.columns[2].key == "dsc:age-22-to-47.5"
    younger = [i for i, age in enumerate(AGES) if age < 50]
    assert found.rows[0].cells[found.columns[2].key].mean == pytest.approx(sum(0.05 * i + 0.4 for i in younger) / 5)


def test_numbers_of_few_values_are_categories_in_order():
    texts = dict(zip(CASES, ["10", "2", "10", "2", "3", "3", "2", "10.0", "2", "2"], strict=True))
    grouping = group_by_column("Scanner", texts, 5)
    assert [(group.name, len(group.cases)) for group in grouping.groups] == [
        *[("Scanner 2", 5), ("Scanner 3", 2), ("Scanner 10", 3)]
    ]


def test_words_come_in_natural_order_and_like_keys_are_told_apart(make_run, write):
    texts = {case: ["T10", "T2", "t2", "T2"][i % 4] for i, case in enumerate(CASES)}
    assert [group.name for group in group_by_column("x", texts, 5).groups] == ["T2", "t2", "T10"]
    path = write(lines=["id,stage", *(f"{case},{text}" for case, text in texts.items())])
    keys = [column.key for column in compare([make_run("m", [0.5] * 10)], by(path, "stage")).columns]
    assert len(set(keys)) == len(keys) == 8


def test_ties_of_a_number_are_noted():
    numbers = {f"c{i:02d}": str(max(i, 14)) for i in range(24)}
    grouping = group_by_column("Age", numbers, 3)
    assert [group.name for group in grouping.groups] == ["Age 14", "Age 14 to 15", "Age 16 to 23"]
    assert "Age 14 and Age 14 to 15 share the Age 14: ordered there by case name" in grouping.notes


def test_two_groups_of_one_range_get_two_names():
    numbers = {f"c{i:02d}": str(max(i, 14)) for i in range(24)}
    names = [group.name for group in group_by_column("Age", numbers, 6).groups]
    assert names[:4] == ["Age 14 (1)", "Age 14 (2)", "Age 14 (3)", "Age 14 to 15"]


@pytest.mark.parametrize(
    ("column", "message"), [("grade", "no column 'grade'. Did you mean 'Grade'"), ("x", "Known: Age, Grade")]
)
def test_an_unknown_column(write, runs, column, message):
    with pytest.raises(SettingsError, match=message):
        compare(runs, by(write(), column))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["id,a", *(f"{case},x" for case in CASES[2:])], "no row for 2 cases: p00, p01; add their rows"),
        (["id,a", *(f"{case},x" for case in [*CASES, "p03"])], "two rows for case p03"),
        (["id,a", "q1,x"], r"no column holds the case ids \(p00"),
        (["id,a", "p00,x,y"], "row 2: 3 cells, but the header has 2"),
        ([""], "is empty"),
    ],
)
def test_a_table_that_does_not_fit(write, runs, lines, message):
    with pytest.raises(DataError, match=message):
        compare(runs, by(write(lines=lines), "a"))


def test_no_such_file(tmp_path, runs):
    with pytest.raises(DataError, match=r"none\.csv: not readable"):
        compare(runs, by(tmp_path / "none.csv", "a"))


def test_too_many_groups_and_none():
    with pytest.raises(SettingsError, match="--group-by name: 13 groups are more than 12"):
        group_by_column("name", {f"c{i}": f"v{i}" for i in range(13)}, 5)
    with pytest.raises(SettingsError, match="the column is empty for every case"):
        group_by_column("name", dict.fromkeys(CASES, ""), 5)


def test_na_is_not_given(write):
    texts = ["NA", "n/a", "NaN", " ", *["x"] * 6]
    path = write(lines=["id,a", *(f"{case},{text}" for case, text in zip(CASES, texts, strict=True))])
    assert [text for text in read_column(GroupColumn(path, "a"), CASES).values() if text] == ["x"] * 6
