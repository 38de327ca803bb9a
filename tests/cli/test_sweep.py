"""`ubench sweep`: one option at several values, a line of runs, a table and a curve an option."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ubench
from unseg_bench.errors import SettingsError
from unseg_bench.run.variants import parse_sweeps


@pytest.fixture
def data(data: list[str]) -> list[str]:
    return [*data, "--sealed", "off", "--device", "cpu"]


LINES = ["--over", "shift.by=-0.5,0,0.5", "--over", "shrink=0,1"]


def test_a_line_of_runs_an_option_and_not_their_product(ubench: Ubench, studied: None, data: list[str]) -> None:
    shown = ubench("sweep", "studied", *LINES, *data, "--json", "--figure", "curve.svg", "--out", "table.md")
    assert shown.code == 0
    first, second = shown.json["sweeps"]
    assert (first["over"], second["over"]) == ("shift.by", "shrink")
    assert [row["label"] for row in first["rows"]] == ["shift.by=-0.5", "shift.by=0", "shift.by=0.5"]
    assert [row["label"] for row in second["comparison"]["rows"]] == ["shrink=0", "shrink=1"]
    runs = {run["run"] for line in (first, second) for row in line["rows"] for run in row["runs"]}
    assert len(runs) == 4, "shift.by=0 and shrink=0 are one run"
    assert first["rows"][1]["runs"] == second["rows"][0]["runs"]
    assert sorted(path.name for path in Path().glob("*.*")) == [
        "curve-shift.by.svg",
        "curve-shrink.svg",
        "table-shift.by.md",
        "table-shrink.md",
    ]
    assert "shift.by" in Path("curve-shift.by.svg").read_text()


def test_set_holds_for_all_but_the_swept_option(ubench: Ubench, studied: None, data: list[str]) -> None:
    shown = ubench(
        *("sweep", "studied", "--over", "shrink=0,1", "--set", "shrink=7", "--set", "shift.by=0.25"),
        *(*data, "--dry-run", "--json"),
    )
    options = [run["options"] for run in shown.json["runs"]]
    assert [one["shrink"] for one in options] == [0, 1]
    assert {one["shift"]["by"] for one in options} == {0.25}
    assert not Path("runs").exists()


def test_the_tables_are_printed(ubench: Ubench, studied: None, data: list[str]) -> None:
    shown = ubench("sweep", "studied", "--over", "shrink=0,1", *data)
    assert shown.out.splitlines()[1] == "studied over shrink"
    assert "shrink=1" in shown.out
    assert json.loads(next(Path("runs").glob("*/*/run.json")).read_text())["state"] == "complete"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--over", "shrnk=0,1"], "--over shrnk: studied has no such option. Did you mean 'shrink'?"),
        (["--over", "shrink=0,high"], "row 'shrink=high': studied: option 'shrink': input should be a valid number"),
        (["--over", "shrink"], "--over shrink: expected name=value,value,..."),
        (["--over", "shrink=0,1", "--figure", "x.doc"], "Known endings: .svg, .pdf, .png"),
        (["--over", "fail=true,false", "--figure", "x.svg"], "needs two numbers or more and nothing else"),
        (["--over", "shrink=1", "--figure", "x.svg"], "needs two numbers or more and nothing else"),
    ],
)
def test_bad_input(ubench: Ubench, studied: None, error_line, arguments: list[str], said: str) -> None:
    assert said in error_line(ubench("sweep", "studied", *arguments))


def test_values_are_read_as_set_reads_them() -> None:
    assert parse_sweeps(["a.b=0,1.5,-2", "rule=otsu,z", "on=true,false", "list=[1, 2],[3]"]) == {
        "a.b": [0, 1.5, -2],
        "rule": ["otsu", "z"],
        "on": [True, False],
        "list": [[1, 2], [3]],
    }
    for wrong in (["a="], ["a=1,1"], ["a=1", "a=2"], ["=1"], ["a=[1"]):
        with pytest.raises(SettingsError, match="--over"):
            parse_sweeps(wrong)
