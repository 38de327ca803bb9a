"""`ubench run`: methods on data, one run after the other."""

from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import (
    MACHINE,
    AgainOptions,
    Assignments,
    CallOptions,
    Part,
    WorkOptions,
    complete_method,
    grouped,
)


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench run clisc", "CLISC in small, on the embedded phantom cohort."),
        ("ubench run clisc threshold --seed 0,1,2", "Two methods, three seeds each."),
        ("ubench run clisc --set s3f.beta=10 --dry-run", "What would be done with another option."),
        (
            "ubench run ./mine.py --data DIR --image '*/flair.nii.gz' --reference '*/seg.nii.gz'",
            "A method of your own on images of your own.",
        ),
        ("ubench run clisc -d brats2020 --data DIR", "BraTS2020 with the published split."),
    ),
)
@grouped
def run(
    *,
    methods: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="METHOD",
            help="Names (`ubench methods`) or Python files.",
            autocompletion=complete_method,
            show_default=False,
        ),
    ] = None,
    call: CallOptions,
    part: Part = None,
    assignments: Assignments = None,
    keep_maps: Annotated[
        bool | None,
        typer.Option(
            "--keep-maps",
            help="Keep the maps that masks are cut from, where the method hands them over.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    again: AgainOptions,
    work: WorkOptions,
) -> None:
    """Run methods on a data set, score them, and show where things are.

    The same command goes on where it stopped; a complete run is shown at once.
    """
    from unseg_bench import api
    from unseg_bench.cli.summary import print_summary, resumable, show_plans
    from unseg_bench.cli.workload import announce
    from unseg_bench.console.streams import print_json

    settings = call.settings(methods or (), part=part, assignments=assignments, keep_maps=keep_maps)
    plans = api.plan(settings, runs=work.runs)
    if work.dry_run:
        show_plans(plans, as_json=work.as_json)
        return
    with resumable():
        announce(plans)
        outcomes = api.run_plans(plans, force=again.force, strict=again.strict)
    if work.as_json:
        print_json({"runs": [outcome.to_dict() for outcome in outcomes]})
    else:
        print_summary(outcomes, work.runs)
    raise typer.Exit(outcomes.exit_code)
