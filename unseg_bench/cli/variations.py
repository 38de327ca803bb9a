"""Rows that differ in options, from plan to table: planned together, run once each, compared under their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unseg_bench.cli.running import Outcome, workload_of
from unseg_bench.cli.summary import print_workload
from unseg_bench.cli.text import path_text, print_json, say, stdout, warn
from unseg_bench.run.folder import SCORED
from unseg_bench.run.plan import describe
from unseg_bench.run.variants import Row, Variation, unique_plans

if TYPE_CHECKING:
    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.compare.settings import CompareSettings
    from unseg_bench.run.plan import RunPlan


def show_variations(variations: Sequence[Variation], *, as_json: bool) -> None:
    """Print the rows with their runs, then the work that they need together."""
    if as_json:
        print_json(_to_dict(variations))
        return
    plans = unique_plans(row for variation in variations for row in variation.rows)
    for variation in variations:
        say(f"{variation.name}: {variation.title}")
        for row in variation.rows:
            say(f"  {row.label}")
            for plan in row.plans:
                say(f"    {path_text(plan.folder.path)} ({plan.folder.state})")
    print_workload(workload_of(plans), len(plans))


def _to_dict(variations: Sequence[Variation]) -> dict[str, Any]:
    """Return the rows with their runs and the work that they need together, as JSON values."""
    plans = unique_plans(row for variation in variations for row in variation.rows)
    return {
        "variations": [
            {
                "name": variation.name,
                "title": variation.title,
                "rows": [
                    {"label": row.label, "runs": [str(plan.folder.path) for plan in row.plans]}
                    for row in variation.rows
                ],
            }
            for variation in variations
        ],
        "runs": [describe(plan) for plan in plans],
        "work": workload_of(plans).to_dict(),
    }


def scored_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose runs all have scores."""
    return [row for row in rows if all(plan.folder.state in SCORED for plan in row.plans)]


def compare_rows(
    rows: Sequence[Row], settings: "CompareSettings", outcomes: Sequence[Outcome]
) -> "tuple[list[RunScores], Comparison] | None":
    """Compare the rows; one whose run failed keeps its row, with the reason. None where no run has scores."""
    from unseg_bench.compare.compare import compare

    errors = {one.plan.folder.path: str(one.error) for one in outcomes if one.error is not None}
    scores = [_scores_of(plan, row.label, errors) for row in rows for plan in row.plans]
    for run in scores:
        if run.failure is not None:
            warn(f"without scores: {run.name}: {run.failure}")
    if all(run.failure is not None for run in scores):
        return None
    return scores, compare(scores, settings)


def _scores_of(plan: "RunPlan", label: str, errors: Mapping[Path, str]) -> "RunScores":
    """Return a run's scores, or what is known of a run that has none: why."""
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.compare.runs import collect_labelled

    error = errors.get(plan.folder.path)
    if plan.folder.record:
        (run,) = collect_labelled({label: [plan.folder]})
        return run if run.failure is None else replace(run, failure=error or run.failure)
    return RunScores(
        method=plan.method.name,
        label=label,
        seed=plan.seed,
        label_free="not measured",
        dataset=plan.dataset.name,
        split=plan.split.name,
        part=plan.settings.part,
        evidence=plan.dataset.evidence,
        scores=(),
        is_floor=plan.method.floor,
        is_ceiling=plan.method.ceiling,
        preset=plan.preset,
        options=plan.method.flat,
        cases=plan.case_ids,
        failure=error or "not begun",
    )


def print_table(comparison: "Comparison", title: str, reference: str | None) -> None:
    """Print a comparison under a title; `reference`: the row that mean differences are told to (None: none are)."""
    from unseg_bench.report.differences import difference_table
    from unseg_bench.report.layout import lines_of
    from unseg_bench.report.terminal import print_comparison

    console = stdout()
    say()
    console.print(title, style="bold")
    print_comparison(comparison, console)
    if reference in comparison.measured and len(comparison.measured) > 1:
        table = difference_table(comparison, str(reference))
        say()
        console.print(table.title, style="bold")
        for line in lines_of(table, console):
            console.print(line)


def outcomes_to_dict(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return each row with what became of its runs, as JSON values."""
    found: Mapping[str, dict[str, Any]] = {str(one.plan.folder.path): one.to_json() for one in outcomes}
    return [
        {
            "label": row.label,
            "runs": [found[path] for plan in row.plans if (path := str(plan.folder.path)) in found],
        }
        for row in rows
    ]
