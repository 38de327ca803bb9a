"""`ubench reproduce`: a recipe's parts on a data set, what is not there named, one page at the end."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Ubench


@pytest.fixture
def data(data: list[str]) -> list[str]:
    return [*data, "--sealed", "off", "--device", "cpu"]


def test_the_plan_names_what_is_not_there(ubench: Ubench, studied: None, data: list[str]) -> None:
    told = ubench("reproduce", "toys", *data, "--dry-run", "--json").json
    assert [part["key"] for part in told["parts"]] == ["table1", "table2", "table3", "curve", "unread"]
    table1, table2, table3, curve, unread = told["parts"]
    assert [row["label"] for row in table1["rows"]] == ["studied", "threshold"]
    assert table1["left_out"] == unread["left_out"] == {"not-there": "not installed"}
    assert table3["left_out"] == {"table3": "studied here has no study 'none'"}
    assert len(told["runs"]) == 6, "what parts share is one run"
    assert table1["rows"][0]["runs"] == table2["rows"][-1]["runs"] == curve["rows"][1]["runs"]
    assert sum(task["stage"] == "shift" for task in told["work"]["stages"]) == 4
    shown = ubench("reproduce", "toys", *data, "--dry-run")
    assert "not-there: not installed" in shown.out
    assert "6 runs, about 2.0 s + ? of computing; nothing was computed (--dry-run)" in shown.out
    assert "~ is computed from the arithmetic of the networks, not measured here" in shown.out
    assert not Path("runs").exists()


@pytest.mark.slow
def test_one_page_holds_it_all_and_a_second_call_computes_nothing(
    ubench: Ubench, studied: None, data: list[str]
) -> None:
    shown = ubench("reproduce", "toys", *data, "--out", "here")
    assert shown.code == 0, shown.err
    assert "Toys" in shown.out.splitlines()[0]
    assert "Steps: 5 of 5\n" in shown.out
    assert shown.out.splitlines()[-1].split() == ["report", "here/report.html"]
    page = Path("here/report.html").read_text()
    for words in ("Toys: folder, test", "not-there: not installed", "CLISC (published)", "higher start",
                  "Ours (w/o S3F) (published)", "shift.by=-0.5", "Mean difference to"):  # fmt: skip
        assert words in page, words
    names = {path.name for path in Path("here").iterdir()}
    assert {f"{key}{suffix}" for key in ("table1", "table2", "curve") for suffix in (".md", ".tex", ".csv")} <= names
    figures = {path.name for path in Path("here/figures").iterdir()}
    assert {"curve.svg", "curve.pdf", "examples.svg"} <= figures
    again = ubench("reproduce", "toys", *data, "--out", "here", "--json")
    assert again.err.count("complete already") == 6
    assert [part["key"] for part in again.json["parts"] if part["comparison"]] == ["table1", "table2", "curve"]
    assert again.json["files"][0] == "here/report.html"


def test_a_failing_run_does_not_stop_the_others(ubench: Ubench, studied: None, data: list[str], failing: None) -> None:
    shown: Result = ubench("reproduce", "failing", *data, "--json")
    assert shown.code == 1
    (part,) = shown.json["parts"]
    assert "told to fail" in part["left_out"]["broken"]
    rows = {row["label"]: row for row in part["comparison"]["rows"]}
    assert list(rows) == ["broken", "threshold"]
    assert "told to fail" in rows["broken"]["failure"]
    assert (rows["broken"]["cells"]["dsc"]["mean"], rows["broken"]["cells"]["dsc"]["missing"]) == (None, 2)
    for name in ("all.md", "all.tex", "report.html"):
        text = Path("reproduction", name).read_text()
        assert "broken" in text, name
        assert "told to fail" in text, name
    assert Path("reproduction/report.html").is_file()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe whose first method fails."""
    from unseg_bench import Method, RunError
    from unseg_bench.plugins import manager
    from unseg_bench.plugins.recipes import MethodsPart, Recipe

    class Broken(Method):
        name = "broken"

        def segment(self, volume, context):
            raise RunError("told to fail")

    load = manager.load_plugins

    def loaded() -> manager.Plugins:
        plugins = load()
        plugins.methods["broken"] = Broken
        plugins.recipes["failing"] = Recipe("failing", "F", (MethodsPart("all", "All", ("broken", "threshold")),))
        return plugins

    monkeypatch.setattr(manager, "load_plugins", loaded)


def test_a_method_without_the_preset_runs_as_it_is_and_that_is_said(
    ubench: Ubench, studied: None, data: list[str]
) -> None:
    told = ubench("reproduce", "toys", *data, "--preset", "check", "--dry-run", "--json").json
    assert told["parts"][0]["as_it_is"] == {"threshold": "has no preset 'check', so it runs as it is"}
    assert [row["label"] for row in told["parts"][0]["rows"]] == ["studied", "threshold"]
    presets = {run["method"]: run["preset"] for run in told["runs"]}
    assert presets == {"studied": "check", "threshold": "paper"}
    shown = ubench("reproduce", "toys", *data, "--preset", "check", "--dry-run")
    assert "threshold: has no preset 'check', so it runs as it is" in shown.out


def test_a_preset_that_no_method_has_is_refused(ubench: Ubench, studied: None, data: list[str]) -> None:
    shown = ubench("reproduce", "toys", *data, "--preset", "chek", "--dry-run")
    assert shown.code == 2
    assert "--preset chek: no method of the recipe 'toys' has it. Did you mean 'check'?" in shown.err


def test_on_the_phantom_the_plan_says_that_it_is_no_evidence(ubench: Ubench, studied: None) -> None:
    shown = ubench("reproduce", "toys", "--dry-run", "--sealed", "off")
    assert shown.out.splitlines()[-1] == "phantom figures are no evidence about the real methods"
    told = ubench("reproduce", "toys", "--dry-run", "--sealed", "off", "--json").json
    assert told["evidence"] is False
    assert {run["preset"] for run in told["runs"]} == {"demo"}


def test_an_unknown_recipe(ubench: Ubench, error_line) -> None:
    assert "unknown recipe 'papre'. Did you mean 'paper'?" in error_line(ubench("reproduce", "papre"))


def test_the_paper_s_recipe_is_the_paper_s(shared_dir: Path) -> None:
    from unseg_bench_methods.paper import PAPER, TABLE_1

    from unseg_bench.plugins.manager import load_plugins

    assert load_plugins().recipes["paper"] is PAPER
    assert len(TABLE_1) == len((shared_dir / "paper" / "table1.csv").read_text().splitlines()) - 1
    curves = {part.option: tuple(part.values) for part in PAPER.parts if hasattr(part, "option")}
    assert curves == {"amda.alpha": (0, 10, 20, 30), "s3f.beta": (0, 10, 20, 30, 40)}
    assert json.dumps([part.published for part in PAPER.parts[:2]]) == '["table1", "table2"]'
