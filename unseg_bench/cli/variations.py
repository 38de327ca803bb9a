"""Rows that differ in options, from plan to table: planned together, run once each, compared under their labels."""

from collections.abc import Mapping, Sequence
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


def compare_rows(rows: Sequence[Row], settings: "CompareSettings") -> "tuple[list[RunScores], Comparison] | None":
    """Compare the rows whose runs all have scores, and say which have not; None where that is no row."""
    from unseg_bench.compare.compare import compare
    from unseg_bench.compare.runs import collect_labelled

    scored = scored_rows(rows)
    if lacking := [row.label for row in rows if row not in scored]:
        warn(f"without scores, so not in the table: {', '.join(lacking)}")
    if not scored:
        return None
    scores = collect_labelled({row.label: [plan.folder for plan in row.plans] for row in scored})
    return scores, compare(scores, settings)


def print_table(comparison: "Comparison", title: str, reference: str | None) -> None:
    """Print a comparison under a title; `reference`: the row that mean differences are told to (None: none are)."""
    from unseg_bench.report.differences import difference_table
    from unseg_bench.report.layout import lines_of
    from unseg_bench.report.terminal import print_comparison

    console = stdout()
    say()
    console.print(title, style="bold", markup=False)
    print_comparison(comparison, console)
    if reference in comparison.labels and len(comparison.rows) > 1:
        table = difference_table(comparison, str(reference))
        say()
        console.print(table.title, style="bold", markup=False)
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
