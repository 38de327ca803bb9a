"""`compare`: methods side by side."""

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Ubench


def test_compare_shows_both_methods_by_size(ubench: Ubench, two_runs: Result) -> None:
    shown = ubench("compare", "--by-size")
    assert shown.code == 0
    assert "tiny" in shown.out
    assert "threshold" in shown.out
    table = ubench("compare", "--json").json
    means = {row["label"]: row["cells"]["dsc"]["mean"] for row in table["rows"]}
    assert means == {one["method"]: pytest.approx(one["dsc"]) for one in two_runs.json["runs"]}
    one_group = ubench("compare", "--json", "--groups", 1).json
    assert {column["group"] for column in one_group["columns"]} == {None, "Size 1/1"}


def test_compare_takes_selectors_and_another_folder(ubench: Ubench, two_runs: Result) -> None:
    Path("runs").rename("elsewhere")
    rows = ubench("compare", "tiny", "--runs", "elsewhere", "--json").json["rows"]
    assert [row["label"] for row in rows] == ["tiny"]


def test_scores_of_an_earlier_version_are_made_again(
    ubench: Ubench, two_runs: Result, tiny: Path, data: list[str]
) -> None:
    path = Path(two_runs.json["runs"][0]["run"]) / "scores.csv"
    whole = path.read_text()
    rows = list(csv.reader(whole.splitlines()))
    lacking = rows[0].index("diagonal_mm")
    path.write_text("\n".join(",".join(row[:lacking] + row[lacking + 1 :]) for row in rows) + "\n")
    assert "the same `ubench run` command does" in ubench("compare").err
    assert ubench("run", tiny, "threshold", *data).code == 0
    assert path.read_text() == whole
    assert ubench("compare", "--json").code == 0
