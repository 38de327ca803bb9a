"""`ubench reproduce`: the tables and figures of a paper on a data set, as a recipe lists them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import CallOptions, WorkOptions, grouped
from unseg_bench.cli.table_options import OUTPUT, Missing, MissingRule
from unseg_bench.console.streams import path_text, print_json, say, warn

if TYPE_CHECKING:
    from unseg_bench.api import Outcomes
    from unseg_bench.report.reproduction import Section
    from unseg_bench.run.reproduction import PlannedPart, Reproduction


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench reproduce paper --dry-run", "What the paper's tables need, and for how long."),
        ("ubench reproduce paper", "All of it in small, on the phantom: reproduction/report.html."),
        ("ubench reproduce paper -d brats2020 --data DIR --seed 0,1,2", "The real thing, three seeds a row."),
    ),
)
@grouped
def reproduce(
    *,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Which: paper, or one that a plugin brings.")],
    call: CallOptions,
    work: WorkOptions,
    missing: MissingRule = "worst",
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Where page, tables and figures go.", rich_help_panel=OUTPUT),
    ] = Path("reproduction"),
) -> None:
    """Run everything in a paper's tables and figures, and write one page with all of it.

    It says first what there is to do. What is complete is kept, so the same command goes on where it stopped; a run
    that fails does not stop the others. Methods that are not installed are left out and named.
    """
    from unseg_bench import api
    from unseg_bench.cli.summary import resumable
    from unseg_bench.console.plugins import plugins_with_warnings
    from unseg_bench.run.reproduction import plan_recipe

    plugins = plugins_with_warnings()
    chosen, settings = plugins.recipe(recipe), call.settings([recipe])
    planned = plan_recipe(chosen, settings, plugins, work.runs)
    api.check_device(settings)
    if work.dry_run and work.as_json:
        print_json(_plan_to_dict(planned))
        return
    if not work.as_json:
        _show_plan(planned)
    if work.dry_run:
        return
    with resumable():
        outcomes = api.run_plans(planned.plans)
    sections = [_section(part, outcomes, missing) for part in planned.parts]
    files = _write(planned, sections, out)
    if work.as_json:
        print_json(_to_dict(planned, sections, outcomes, files))
    else:
        _show_end(planned, sections, outcomes, files)
    raise typer.Exit(int(bool(outcomes.failed)))


def _show_plan(planned: "Reproduction") -> None:
    """Print each part's rows with the states of their runs, what is left out, and the work."""
    from unseg_bench.cli.workload import print_workload
    from unseg_bench.report.notes import NO_EVIDENCE
    from unseg_bench.run.estimate import workload_of

    say(planned.recipe.title)
    for part in planned.parts:
        say(f"  {part.part.title}")
        for row in part.rows:
            say(f"    {row.label}: {', '.join(dict.fromkeys(plan.folder.state for plan in row.plans))}")
        for name, why in (*part.left_out.items(), *part.as_it_is.items()):
            say(f"    {name}: {why}")
    print_workload(workload_of(planned.plans), len(planned.plans))
    if any(not plan.dataset.evidence for plan in planned.plans):
        say(NO_EVIDENCE)


def _plan_to_dict(planned: "Reproduction") -> dict[str, Any]:
    from unseg_bench.run.estimate import workload_of
    from unseg_bench.run.plan import describe

    return {
        "recipe": planned.recipe.name,
        "evidence": all(plan.dataset.evidence for plan in planned.plans),
        "parts": [
            {
                "key": part.part.key,
                "title": part.part.title,
                "rows": [
                    {"label": row.label, "runs": [str(plan.folder.path) for plan in row.plans]} for row in part.rows
                ],
                "left_out": dict(part.left_out),
                "as_it_is": dict(part.as_it_is),
            }
            for part in planned.parts
        ],
        "runs": [describe(plan) for plan in planned.plans],
        "work": workload_of(planned.plans).to_dict(),
    }


def _section(planned: "PlannedPart", outcomes: "Outcomes", missing: Missing) -> "Section":
    """Compare a part's rows; those without scores are named with what went wrong."""
    from unseg_bench.cli.variations import compare_rows
    from unseg_bench.compare.settings import CompareSettings
    from unseg_bench.compare.statistics.record import StatisticsSettings
    from unseg_bench.plugins.recipes import MethodsPart, SweepPart
    from unseg_bench.report.reproduction import Section

    part = planned.part
    settings = CompareSettings(
        missing=missing,
        published=None if isinstance(part, SweepPart) else part.published,
        statistics=StatisticsSettings() if isinstance(part, MethodsPart) else None,
    )
    found = compare_rows(planned.rows, settings, outcomes)
    scores, comparison = ([], None) if found is None else found
    shown = () if comparison is None else comparison.measured
    failed = {str(one.plan.folder.path): str(one.error) for one in outcomes if one.error is not None}
    reasons = {
        row.label: next((failed[path] for plan in row.plans if (path := str(plan.folder.path)) in failed), "not scored")
        for row in planned.rows
        if row.label not in shown
    }
    labels = [row.label for row in planned.rows]
    return Section(part, labels, {**planned.left_out, **reasons}, planned.as_it_is, scores, comparison)


def _write(planned: "Reproduction", sections: "Sequence[Section]", out: Path) -> list[Path]:
    """Write the folder; nothing where no run has scores. Tell on stderr how far it is."""
    from unseg_bench.console.reporters import make_reporter
    from unseg_bench.report.reproduction import write_reproduction
    from unseg_bench.run.progress import timed_stage

    if all(section.comparison is None for section in sections):
        warn("no run has scores, so there is no report")
        return []
    with make_reporter() as reporter, timed_stage(reporter, "report"):
        return write_reproduction(planned.recipe, sections, out, progress=reporter.step, tell=reporter.message)


def _to_dict(
    planned: "Reproduction", sections: "Sequence[Section]", outcomes: "Outcomes", files: Sequence[Path]
) -> dict[str, Any]:
    from unseg_bench.cli.variations import outcomes_to_dict

    return {
        "recipe": planned.recipe.name,
        "evidence": all(plan.dataset.evidence for plan in planned.plans),
        "parts": [
            {
                "key": part.part.key,
                "title": part.part.title,
                "rows": outcomes_to_dict(part.rows, outcomes),
                "left_out": dict(section.left_out),
                "as_it_is": dict(section.as_it_is),
                "comparison": None if section.comparison is None else section.comparison.to_dict(),
            }
            for part, section in zip(planned.parts, sections, strict=True)
        ],
        "files": [str(path) for path in files],
    }


def _show_end(
    planned: "Reproduction", sections: "Sequence[Section]", outcomes: "Outcomes", files: Sequence[Path]
) -> None:
    """Print how many rows each part shows, what is left out and why, and where the page is."""
    from unseg_bench.report.notes import NO_EVIDENCE

    say()
    for section in sections:
        say(f"{section.part.title}: {section.shown}")
        for name, why in (*section.left_out.items(), *section.as_it_is.items()):
            say(f"  {name}: {why}")
    if any(not plan.dataset.evidence for plan in planned.plans):
        say(NO_EVIDENCE)
    if failed := sum(outcome.error is not None for outcome in outcomes):
        say(f"{failed} of {len(outcomes)} runs failed; the same command tries them again")
    if files:
        say(f"report  {path_text(files[0])}")
