"""`ubench cases`: the scores of one run, case by case."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson, RunsFolder
from unseg_bench.cli.selector import RunSelector, find_run
from unseg_bench.console.streams import new_table, path_text, print_json, say, stdout, warn
from unseg_bench.words import count_text

if TYPE_CHECKING:
    from rich.table import Table

    from unseg_bench.plugins.metric import Metric
    from unseg_bench.score.record import CaseScore


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench cases clisc --worst 10", "The ten cases with the lowest DSC of the newest complete run."),
        ("ubench cases clisc --best 3 --by hd95", "The three with the smallest HD95."),
    ),
)
def cases(
    selector: RunSelector,
    worst: Annotated[int | None, typer.Option(min=1, metavar="N", help="The N worst only.")] = None,
    best: Annotated[int | None, typer.Option(min=1, metavar="N", help="The N best only, best first.")] = None,
    by: Annotated[str, typer.Option(metavar="METRIC", help="What is worst and best: dsc, hd95, recall ...")] = "dsc",
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Show the scores of every case of a run, worst first: volumes, DSC, HD95, its method's confidence, flags."""
    from unseg_bench.errors import ScoreError, SettingsError
    from unseg_bench.run.confidence import Confidences
    from unseg_bench.run.folder import SCORED
    from unseg_bench.score.intact import doubts_about_files
    from unseg_bench.score.metrics import DEFAULT, SCORE_AGAIN, find_metric, metrics_of
    from unseg_bench.score.table import read_scores

    if worst is not None and best is not None:
        raise SettingsError("--worst and --best: give one of them")
    run = find_run(selector, runs)
    if run.state not in SCORED:
        raise ScoreError(
            f"{path_text(run.path)}: not scored (state '{run.state}'). Its `ubench run` command goes on, and scores "
            "the cases that have a reference (--reference); `ubench show RUN` has the confidences of the others"
        )
    scores, metric = read_scores(run.scores), find_metric(by, metrics_of(run.record), "--by")
    if any(metric.name not in score.values for score in scores):
        raise ScoreError(f"{path_text(run.path)}: no {metric.title} in its scores; {SCORE_AGAIN}")
    chosen = pick(scores, metric, worst=worst, best=best)
    for doubt in doubts_about_files(run, scores):
        warn(f"Warning: {run.path.name}: {doubt}")
    confidences = Confidences.of(run.record).values
    missing = list(run.record.get("missing_cases", []))
    if as_json:
        shown = [{**score.to_dict(), "confidence": confidences.get(score.case)} for score in chosen]
        print_json({"run": str(run.path), "cases": shown, "missing": missing})
        return
    say(f"{path_text(run.path)}: {_how_many(len(chosen), len(scores), best is not None)}")
    say()
    stdout().print(_table(chosen, tuple(dict.fromkeys((*DEFAULT, metric))), confidences))
    if missing:
        say(f"\nmissing  {', '.join(missing)}")


def pick(
    scores: "Sequence[CaseScore]", by: "Metric", *, worst: int | None = None, best: int | None = None
) -> "list[CaseScore]":
    """Return the cases worst first, all or the first `worst`; or the `best` ones, best first. Ties go by case id."""

    def goodness(score: "CaseScore") -> float:
        return score.values[by.name] if by.higher_is_better else -score.values[by.name]

    sign = 1 if best is None else -1
    ordered = sorted(scores, key=lambda score: (sign * goodness(score), score.case))
    return ordered[: worst if best is None else best]


def _how_many(shown: int, known: int, best: bool) -> str:
    if shown == known:
        return count_text(known, "case")
    return f"the {shown} {'best' if best else 'worst'} of {count_text(known, 'case')}"


def _table(scores: "Sequence[CaseScore]", metrics: "Sequence[Metric]", confidences: "Mapping[str, float]") -> "Table":
    """Return a row a case; a column of confidences only where the method stated any."""
    numbers = ("tumour ml", "predicted ml", *(metric.heading for metric in metrics))
    numbers += ("confidence",) if confidences else ()
    table = new_table("case", *numbers, "flags", right=numbers)
    for score in scores:
        table.add_row(
            score.case,
            f"{score.tumour_ml:.1f}",
            f"{score.predicted_ml:.1f}",
            *(metric.text(score.values[metric.name]) for metric in metrics),
            *([_confidence_text(confidences.get(score.case))] if confidences else []),
            " ".join(score.flags),
        )
    return table


def _confidence_text(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
