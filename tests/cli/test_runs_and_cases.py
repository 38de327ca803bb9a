"""`runs`, `show`, `cases`: what was run, and what there is to know of one run."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Ubench
from unseg_bench.cli.cases import pick
from unseg_bench.cli.listing import age_text
from unseg_bench.score.metrics import DEFAULT
from unseg_bench.score.table import read_scores

ErrorLine = Callable[[Result], str]


def change(run: Path, **values: object) -> None:
    """Write other entries into a run's record."""
    file = run / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def run_of(result: Result, method: str) -> Path:
    return next(Path(one["run"]) for one in result.json["runs"] if one["method"] == method)


def test_runs_lists_what_was_run(ubench: Ubench, two_runs: Result) -> None:
    listed = ubench("runs", "--json").json
    wanted = [(one["run"], one["dsc"]) for one in two_runs.json["runs"]]
    assert [(one["run"], one["dsc"]) for one in listed] == wanted
    assert [one["state"] for one in listed] == ["complete", "complete"]
    assert all(Path(run).name in ubench("runs").out for run, _ in wanted)


def test_runs_without_any(ubench: Ubench) -> None:
    assert ubench("runs").out == "no runs in runs; `ubench run threshold` makes one\n"
    assert ubench("runs", "--json").json == []
    assert ubench("runs", "--method", "x").code == 0


def test_runs_of_one_method_or_one_data_set(ubench: Ubench, two_runs: Result, error_line: ErrorLine) -> None:
    assert [one["method"] for one in ubench("runs", "--method", "tiny", "--json").json] == ["tiny"]
    assert len(ubench("runs", "-d", "folder", "--json").json) == 2
    assert "threshold" not in ubench("runs", "--method", "tiny").out
    assert "--method tny: no such run. Did you mean 'tiny'?" in error_line(ubench("runs", "--method", "tny"))
    assert "--dataset phantom: no such run. Known: folder." in error_line(ubench("runs", "-d", "phantom"))


@pytest.mark.parametrize(("columns", "gone"), [(140, set()), (100, set()), (70, {"method", "split"})])
def test_runs_give_up_columns_where_there_is_no_room(
    ubench: Ubench, two_runs: Result, monkeypatch: pytest.MonkeyPatch, columns: int, gone: set[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    head, *lines = ubench("runs").out.splitlines()
    assert {"method", "split", "seed", "state", "age", "run"} - set(head.split()) == gone
    assert len(lines) == 2
    assert all(len(line) <= columns for line in lines)


def test_runs_tell_the_age_in_words(ubench: Ubench, two_runs: Result) -> None:
    change(run_of(two_runs, "tiny"), started=(datetime.now(UTC) - timedelta(hours=50)).isoformat())
    first = ubench("runs").out.splitlines()[1]
    assert "2 d" in first
    assert "tiny" in first


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3 * 3600 + 1, "3 h"), (86_400 * 2.9, "2 d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


def test_scores_of_an_earlier_form_are_warned_of_and_the_other_runs_listed(ubench: Ubench, two_runs: Result) -> None:
    (run_of(two_runs, "tiny") / "scores.csv").write_text("case,dsc\na,0.5\n")
    listed = ubench("runs", "--json")
    assert [one["dsc"] is None for one in listed.json] == [True, False]
    assert "scores.csv does not have the columns" in listed.err
    assert "not scored" in ubench("show", "tiny").out


def test_show_by_method_by_name_and_by_folder(ubench: Ubench, two_runs: Result, error_line: ErrorLine) -> None:
    run = run_of(two_runs, "tiny")
    by_method = ubench("show", "tiny").out
    assert by_method == ubench("show", run.name).out == ubench("show", run).out
    assert "label-free  not sealed" in by_method
    assert "levels" in by_method
    assert re.search(
        r"images      train \(none\), valid \(none\), test \([0-9a-f]{12}\)", ubench("show", "threshold").out
    )
    assert "train (none)" not in by_method
    record = ubench("show", "tiny", "--json").json
    assert [score["case"] for score in record["scores"]] == record["cases"]
    assert "no run 'tny' in runs. Did you mean 'tiny'?" in error_line(ubench("show", "tny"))


def test_show_tells_why_a_run_failed(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    ubench("run", tiny, *data, "--set", "fail=true")
    assert "failed: tiny: told to fail" in ubench("show", "tiny").out


def test_show_tells_options_that_are_not_the_presets(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    ubench("run", tiny, *data, "--preset", "low", "--set", "fail=true")
    short = ubench("show", "tiny").out
    assert "1 of 2 differ from preset low" in short
    assert "fail = true" in short
    assert "level = " not in short
    assert "level = 0.5" in ubench("show", "tiny", "--options").out
    tiny.unlink()
    assert ubench("show", "tiny").out == short
    assert "fail = true" in ubench("show", "tiny", "--options").out


def test_show_tells_which_labels_were_read_and_why(ubench: Ubench, two_runs: Result) -> None:
    reads = [{"case": f"c{number}", "kind": "mask", "purpose": "training"} for number in (1, 2, 3, 4, 4)]
    reads.append({"case": "v", "kind": "slice-labels", "purpose": "choosing the epoch"})
    change(run_of(two_runs, "tiny"), label_reads=reads, failed_cases={"case-0": "ValueError: too dark"})
    shown = ubench("show", "tiny").out
    assert "mask of 4 cases for 'training': c1, c2, c3 and 1 more" in shown
    assert "slice-labels of 1 case for 'choosing the epoch': v" in shown
    assert "failed      case-0: ValueError: too dark" in shown


def test_cases_come_worst_first(ubench: Ubench, two_runs: Result) -> None:
    run = run_of(two_runs, "threshold")
    scores = {score.case: score for score in read_scores(run / "scores.csv")}
    listed = ubench("cases", "threshold", "--json").json
    assert listed["run"] == str(run)
    assert {one["case"]: one["dsc"] for one in listed["cases"]} == {case: one.dsc for case, one in scores.items()}
    assert listed["cases"][0]["dsc"] <= listed["cases"][1]["dsc"]
    best = ubench("cases", "threshold", "--best", 1, "--by", "hd95", "--json").json["cases"]
    assert [one["hd95_mm"] for one in best] == [min(one.hd95_mm for one in scores.values())]
    shown = ubench("cases", run, "--worst", 1)
    assert "the 1 worst of 2 cases" in shown.out
    assert sum(case in shown.out for case in scores) == 1


def test_picking_by_each_measure_from_each_end(ubench: Ubench, two_runs: Result) -> None:
    from dataclasses import replace

    one = read_scores(run_of(two_runs, "tiny") / "scores.csv")[0]
    numbers = {"a": (0.5, 9.0), "b": (0.9, 30.0), "c": (0.5, 2.0), "d": (0.1, 5.0)}
    scores = [replace(one, case=case, values={"dsc": dsc, "hd95_mm": hd95}) for case, (dsc, hd95) in numbers.items()]

    def cases(**choice: int) -> list[str]:
        return ["".join(score.case for score in pick(scores, by, **choice)) for by in DEFAULT]

    assert cases() == ["dacb", "badc"]
    assert cases(worst=2) == ["da", "ba"]
    assert cases(best=3) == ["bac", "cda"]
    assert cases(best=9) == ["bacd", "cdab"]


def test_cases_of_a_run_that_is_not_scored(ubench: Ubench, two_runs: Result, error_line: ErrorLine) -> None:
    run = run_of(two_runs, "tiny")
    change(run, state="predicted")
    assert f"{run}: not scored (state 'predicted')" in error_line(ubench("cases", "tiny"))
    # What was never scored has no file that could differ from what was scored.
    for name in ("scores.csv", "scored.json"):
        (run / name).unlink()
    assert "is not the file" not in ubench("show", "tiny").out
    assert ubench("show", "tiny", "--json").json["file_doubts"] == []
    assert "--worst and --best" in error_line(ubench("cases", "threshold", "--worst", 1, "--best", 1))


@pytest.mark.slow
def test_a_method_means_its_newest_run_with_the_usual_options_on_all_cases(
    ubench: Ubench, two_runs: Result, tiny: Path, data: list[str]
) -> None:
    usual = run_of(two_runs, "tiny")
    for other in (("--set", "fail=true"), ("--limit", 1), ("--set", "level=3"), ("--preset", "low")):
        ubench("run", tiny, *data, *other)
    assert ubench("cases", "tiny", "--json").json["run"] == str(usual)
    shown = ubench("show", "tiny")
    assert usual.name in shown.out
    assert "4 newer runs of tiny on other cases, with other settings or without scores left out" in shown.err
    failed = next(one["run"] for one in ubench("runs", "--json").json if one["state"] == "failed")
    assert "state       failed" in (out := ubench("show", failed).out)
    assert "label-free  not measured (failed)\n" in out
    change(usual, state="failed")
    assert "preset low" in ubench("show", "tiny").out
