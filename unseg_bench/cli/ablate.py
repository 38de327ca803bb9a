"""`ubench ablate`: a study that a method names, from its runs to its table."""

from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AgainOptions, Assignments, CallOptions, OneMethod, Part, WorkOptions, grouped
from unseg_bench.cli.table_options import TableFiles


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench ablate clisc", "Its first study, on the phantom: runs, scores, one table."),
        ("ubench ablate clisc --study table2 --dry-run", "Which stages are kept, which are to do, for how long."),
        ("ubench ablate clisc --seed 0,1,2 --out table2.tex", "Three seeds a row, and the table for a paper."),
        ("ubench ablate ./mine.py --data DIR --set level=2", "A method of your own; --set holds for every row."),
    ),
)
@grouped
def ablate(
    *,
    method: OneMethod,
    study: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which study (`ubench methods METHOD`). Default: the method's first."),
    ] = None,
    call: CallOptions,
    part: Part = None,
    assignments: Assignments = None,
    again: AgainOptions,
    work: WorkOptions,
    tables: TableFiles,
) -> None:
    """Run a study of a method, one run a row, and show it as one table.

    Stages that rows share are computed once; the same command goes on where it stopped.
    """
    from unseg_bench.api import check_device
    from unseg_bench.cli.variations import run_variations, show_variation
    from unseg_bench.console.plugins import plugins_with_warnings
    from unseg_bench.console.streams import print_json
    from unseg_bench.run.variants import plan_study

    tables.check()
    settings = call.settings([method], part=part, assignments=assignments)
    planned = plan_study(settings, study, plugins_with_warnings(), work.runs)
    check_device(settings)
    outcomes = run_variations([planned], again, work)
    if outcomes is None:
        return
    shown = show_variation(planned, outcomes, tables, against=planned.rows[-1].label, as_json=work.as_json)
    if work.as_json:
        print_json({"study": planned.name, "title": planned.title, **shown.told})
    raise typer.Exit(outcomes.exit_code)
