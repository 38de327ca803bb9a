"""`compare`, `runs`, `show`: what was run."""

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Ubench


@pytest.fixture
def two_runs(ubench: Ubench, tiny: Path, data: list[str]) -> Result:
    return ubench("run", tiny, "threshold", *data, "--json")


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


def test_runs_lists_what_was_run(ubench: Ubench, two_runs: Result) -> None:
    listed = ubench("runs", "--json").json
    wanted = [(one["run"], one["dsc"]) for one in two_runs.json["runs"]]
    assert {(one["run"], one["dsc"]) for one in listed} == set(wanted)
    assert [one["state"] for one in listed] == ["complete", "complete"]
    assert all(Path(run).name in ubench("runs").out for run, _ in wanted)


def test_runs_without_any(ubench: Ubench) -> None:
    assert ubench("runs").out == "no runs in runs; `ubench run threshold` makes one\n"
    assert ubench("runs", "--json").json == []


def test_show_by_method_by_name_and_by_folder(ubench: Ubench, two_runs: Result) -> None:
    run = Path(two_runs.json["runs"][0]["run"])
    by_method = ubench("show", "tiny", "--cases").out
    assert by_method == ubench("show", run.name, "--cases").out == ubench("show", run, "--cases").out
    assert "label-free  yes" in by_method
    assert "levels" in by_method
    record = ubench("show", "tiny", "--json").json
    assert [score["case"] for score in record["scores"]] == record["cases"]
    assert all(case in by_method for case in record["cases"])


def test_show_tells_why_a_run_failed(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    ubench("run", tiny, *data, "--set", "fail=true")
    assert "failed: tiny: told to fail" in ubench("show", "tiny").out
