"""Rows that differ in options, from plan to table: planned together, run once each, compared under their labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unseg_bench.cli.options import AgainOptions, WorkOptions
from unseg_bench.cli.summary import resumable
from unseg_bench.cli.table_options import TableFiles
from unseg_bench.cli.workload import announce, print_workload
from unseg_bench.console.streams import path_text, print_json, say, stdout, warn
from unseg_bench.run.estimate import workload_of
from unseg_bench.run.folder import SCORED
from unseg_bench.run.plan import describe
from unseg_bench.run.variants import Row, Variation, unique_plans

if TYPE_CHECKING:
    from unseg_bench.api import Outcomes
    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.compare.settings import CompareSettings
    from unseg_bench.run.plan import RunPlan
    from unseg_bench.score.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Shown:
    """A variation after its runs: what JSON says of it, and the table where any run has scores."""

    told: dict[str, Any]
    scores: "list[RunScores]"
    comparison: "Comparison | None"


def run_variations(variations: Sequence[Variation], again: AgainOptions, work: WorkOptions) -> "Outcomes | None":
    """Run what the rows need, each run once; only say what would be done, and return None, in a dry run."""
    from unseg_bench import api

    if work.dry_run:
        show_variations(variations, as_json=work.as_json)
        return None
    plans = unique_plans(row for variation in variations for row in variation.rows)
    with resumable():
        announce(plans)
        return api.run_plans(plans, force=again.force, strict=again.strict)


def show_variation(
    variation: Variation,
    outcomes: "Sequence[Outcome]",
    tables: TableFiles,
    *,
    named: Callable[[Path], Path] = lambda path: path,
    against: str | None = None,
    as_json: bool,
) -> Shown:
    """Compare a variation's rows; print the table unless as JSON, and write it where asked, under `named` names.

    against: the row that mean differences are told to and, in files, tested against; None: none is.
    """
    from unseg_bench.compare.settings import CompareSettings
    from unseg_bench.compare.statistics.record import StatisticsSettings
    from unseg_bench.report.exports import write

    scored = {row.label for row in variation.rows if all(plan.folder.state in SCORED for plan in row.plans)}
    statistics = StatisticsSettings(reference=against if against in scored else None) if tables.files else None
    settings = CompareSettings(missing=tables.missing, statistics=statistics)
    scores, comparison = compare_rows(variation.rows, settings, outcomes) or ([], None)
    if comparison is not None:
        if not as_json:
            print_table(comparison, variation.title, against)
        for path in map(named, tables.files):
            write(comparison, path)
            warn(f"wrote {path_text(path)}")
    rows = outcomes_to_dict(variation.rows, outcomes)
    table = None if comparison is None else comparison.to_dict()
    return Shown({"rows": rows, "comparison": table}, scores, comparison)


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


def compare_rows(
    rows: Sequence[Row], settings: "CompareSettings", outcomes: "Sequence[Outcome]"
) -> "tuple[list[RunScores], Comparison] | None":
    """Compare the rows; one whose run failed keeps its row, with the reason. None where no run has scores."""
    from unseg_bench.compare.build import compare

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
    from unseg_bench.report.layout import lines_of
    from unseg_bench.report.tables import difference_table
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


def outcomes_to_dict(rows: Sequence[Row], outcomes: "Sequence[Outcome]") -> list[dict[str, Any]]:
    """Return each row with what became of its runs, as JSON values."""
    found: Mapping[str, dict[str, Any]] = {str(one.plan.folder.path): one.to_dict() for one in outcomes}
    return [
        {
            "label": row.label,
            "runs": [found[path] for plan in row.plans if (path := str(plan.folder.path)) in found],
        }
        for row in rows
    ]
