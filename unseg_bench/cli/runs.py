"""`ubench runs` and `ubench show`: what was run, and what there is to know of one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.text import (
    AsJson,
    RunsFolder,
    new_table,
    path_text,
    print_json,
    say,
    seconds_text,
    stdout,
)

if TYPE_CHECKING:
    from unseg_bench.run.folder import RunFolder
    from unseg_bench.score.record import CaseScore


@app.command(
    "runs",
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench runs", "All runs below ./runs, oldest first."),
        ("ubench runs --json", "The same for a script."),
    ),
)
def list_runs(runs: RunsFolder = Path("runs"), as_json: AsJson = False) -> None:
    """List the runs: state, mean DSC and HD95."""
    from unseg_bench.run.folder import find_runs

    found = find_runs(runs)
    if as_json:
        print_json([_facts(run) for run in found])
        return
    if not found:
        say(f"no runs in {path_text(runs)}; `ubench run threshold` makes one")
        return
    table = new_table("run", "data", "begun", "state", "DSC %", "HD95 mm", right=("DSC %", "HD95 mm"))
    for run in found:
        facts = _facts(run)
        numbers = ("", "") if facts["dsc"] is None else (f"{100 * facts['dsc']:.2f}", f"{facts['hd95_mm']:.2f}")
        table.add_row(
            run.path.name, facts["dataset"], str(facts["started"])[5:16].replace("T", " "), run.state, *numbers
        )
    stdout().print(table)


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench show clisc", "The newest run of a method."),
        ("ubench show runs/phantom/clisc-demo-seed0-1a2b3c4d --cases", "One run, with every case."),
    ),
)
def show(
    selector: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's folder, its name, or a method's name.", show_default=False)
    ],
    cases: Annotated[bool, typer.Option("--cases", help="Also the scores of every case.")] = False,
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Show one run: how it was made, what it read of labels, its stages, its scores."""
    run = _find(selector, runs)
    scores = _scores(run)
    if as_json:
        print_json({"run": str(run.path), **run.record, "scores": [_score_facts(score) for score in scores]})
        return
    _print_record(run, scores)
    _print_stages(run)
    if cases and scores:
        _print_cases(scores)


def _find(selector: str, runs: Path) -> "RunFolder":
    from unseg_bench.errors import DataError
    from unseg_bench.plugins.names import did_you_mean
    from unseg_bench.run.folder import RunFolder, find_runs

    if (Path(selector) / "run.json").is_file():
        return RunFolder(Path(selector))
    found = find_runs(runs)
    matching = [run for run in found if run.path.name == selector or run.record["method"] == selector]
    if not matching:
        known = {run.path.name for run in found} | {str(run.record["method"]) for run in found}
        raise DataError(f"no run '{selector}' in {path_text(runs)}.{did_you_mean(selector, known)}")
    return matching[-1]


def _scores(run: "RunFolder") -> "list[CaseScore]":
    from unseg_bench.score.table import read_scores

    return read_scores(run.scores) if run.state == "complete" else []


def _facts(run: "RunFolder") -> dict[str, Any]:
    from statistics import fmean

    record, scores = run.record, _scores(run)
    return {
        "run": str(run.path),
        **{name: record.get(name) for name in ("state", "method", "preset", "seed", "dataset", "split", "part")},
        "started": record.get("started"),
        "cases": len(record.get("cases", [])),
        "dsc": fmean(score.dsc for score in scores) if scores else None,
        "hd95_mm": fmean(score.hd95_mm for score in scores) if scores else None,
        "error": record.get("error"),
    }


def _print_record(run: "RunFolder", scores: "Sequence[CaseScore]") -> None:
    from unseg_bench.cli.summary import score_texts
    from unseg_bench.run.ledger import label_free

    record = run.record
    dsc, hd95 = score_texts(scores)
    weights = record.get("weights", {})
    lines = {
        "run": path_text(run.path),
        "state": run.state + (f": {record['error']}" if record.get("error") else ""),
        "method": f"{record['method']}, preset {record['preset']}, seed {record['seed']}",
        "data": f"{record['dataset']}, split {record['split']}, {record['part']}: {len(record['cases'])} cases",
        "label-free": label_free(record),
        "weights": ", ".join(f"{name} ({digest[:12]})" for name, digest in weights.items()) or "none",
        "begun": str(record["started"]).replace("T", " "),
        "versions": ", ".join(f"{name} {record['versions'][name]}" for name in ("unseg-bench", "python", "torch")),
        "DSC %": dsc,
        "HD95 mm": hd95,
    }
    for name, text in lines.items():
        if text:
            say(f"{name:<12}{text}")
    for case_id, reason in record.get("failed_cases", {}).items():
        say(f"failed      {case_id}: {reason}")


def _print_stages(run: "RunFolder") -> None:
    """Print every stage with the time that it took when it was computed in this run."""
    stages: dict[str, str] = {}
    for event in run.events():
        if event["event"] == "stage" and not (event["cached"] and event["stage"] in stages):
            stages[event["stage"]] = "kept from before" if event["cached"] else seconds_text(event["seconds"])
    for number, (stage, text) in enumerate(stages.items()):
        say(f"{'' if number else 'stages':<12}{stage:<24}{text}")


def _print_cases(scores: "Sequence[CaseScore]") -> None:
    numbers = ("tumour ml", "predicted ml", "DSC %", "HD95 mm")
    table = new_table("case", *numbers, "flags", right=numbers)
    for score in scores:
        table.add_row(
            score.case,
            f"{score.tumour_ml:.1f}",
            f"{score.predicted_ml:.1f}",
            f"{100 * score.dsc:.2f}",
            f"{score.hd95_mm:.2f}",
            " ".join(score.flags),
        )
    say()
    stdout().print(table)


def _score_facts(score: "CaseScore") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(score)
