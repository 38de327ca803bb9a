"""`ubench runs`: what was run, newest last."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson, RunsFolder, complete_dataset, complete_method
from unseg_bench.cli.selector import scores_or_warning
from unseg_bench.console.streams import new_table, path_text, print_json, say, stdout, warn_of

if TYPE_CHECKING:
    from unseg_bench.run.folder import RunFolder

COLUMNS: tuple[str, ...] = ("method", "data", "split", "seed", "state", "DSC %", "age", "run")
DISPENSABLE = ("method", "split", "seed", "data", "age")
"""Columns that go, in this order, where the terminal is narrow; the run's name begins with the method."""
GAP = 2
LONGEST_SPLIT = 20


@app.command(
    "runs",
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench runs", "All runs below ./runs, newest last."),
        ("ubench runs --method clisc -d brats2020", "Those of one method on one data set."),
        ("ubench runs --json", "The same for a script."),
    ),
)
def list_runs(
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Runs of this method only.", autocompletion=complete_method),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", "-d", metavar="NAME", help="Runs on this data set only.", autocompletion=complete_dataset
        ),
    ] = None,
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs: what on what, state, mean DSC, age, name."""
    from unseg_bench.run.folder import find_runs

    found = find_runs(runs, warn_of)
    facts = [_facts(run) for run in _filtered(_filtered(found, "method", method), "dataset", dataset)]
    if as_json:
        print_json(facts)
    elif not found:
        say(f"no runs in {path_text(runs)}; `ubench run threshold` makes one")
    else:
        _print(facts)


def age_text(seconds: float) -> str:
    """Return an age such as '40 s', '5 min', '3 h' or '12 d', rounded down."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def _filtered(found: "Sequence[RunFolder]", entry: str, wanted: str | None) -> "list[RunFolder]":
    """Keep the runs whose record has the wanted entry; raises DataError when there are runs, but none of these."""
    from unseg_bench.errors import DataError
    from unseg_bench.plugins.names import did_you_mean

    known = {str(run.record[entry]) for run in found}
    if wanted is not None and known and wanted not in known:
        raise DataError(f"--{entry} {wanted}: no such run.{did_you_mean(wanted, known)}")
    return [run for run in found if wanted in (None, run.record[entry])]


def _facts(run: "RunFolder") -> dict[str, Any]:
    """Return what the list tells of a run."""
    from unseg_bench.score.record import default_means

    record, scores = run.record, scores_or_warning(run)
    names = ("state", "method", "preset", "seed", "dataset", "split", "part")
    return {
        "run": str(run.path),
        **{name: record.get(name) for name in names},
        "made_elsewhere": bool(record.get("made_elsewhere")),
        "started": record.get("started"),
        "cases": len(record.get("cases", [])),
        **default_means(scores),
        "error": record.get("error"),
    }


def _print(facts: Sequence[dict[str, Any]]) -> None:
    """Print as many columns as the terminal has room for."""
    console = stdout()
    rows = [dict(zip(COLUMNS, _cells(run), strict=True)) for run in facts]
    shown = list(COLUMNS)
    for name in DISPENSABLE:
        if _width(rows, shown) > console.width:
            shown.remove(name)
    table = new_table(*shown, right=("seed", "DSC %", "age"))
    for row in rows:
        table.add_row(*(row[name] for name in shown))
    console.print(table)


def _cells(run: dict[str, Any]) -> tuple[str, ...]:
    split = str(run["split"]).removeprefix(f"{run['dataset']}-")
    begun = datetime.fromisoformat(str(run["started"]))
    return (
        str(run["method"]),
        str(run["dataset"]),
        split if len(split) <= LONGEST_SPLIT else f"{split[: LONGEST_SPLIT - 1]}…",
        str(run["seed"]),
        str(run["state"]),
        "" if run["dsc"] is None else f"{100 * run['dsc']:.2f}",
        age_text((datetime.now(UTC) - begun).total_seconds()),
        Path(run["run"]).name,
    )


def _width(rows: Sequence[dict[str, str]], shown: Sequence[str]) -> int:
    widest = [max(len(name), *(len(row[name]) for row in rows)) for name in shown]
    return sum(widest) + GAP * (len(shown) - 1)
