"""`ubench data`: look at data before hours are spent on it."""

from dataclasses import replace
from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson, FileOptions, complete_dataset, grouped
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.reporters import make_reporter
from unseg_bench.console.streams import print_json, say
from unseg_bench.errors import DataError
from unseg_bench.words import count_text

data = typer.Typer(
    help="Look at every file of a data set before a run.",
    epilog=examples(("ubench data check brats2020 --data DIR", "Is BraTS2020 complete?")),
)
app.add_typer(data, name="data", rich_help_panel="What there is")


@data.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Look at every file of a data set before a run."""
    if context.invoked_subcommand is None:
        say(context.get_help())


@data.command(
    epilog=examples(
        ("ubench data check brats2020 --data DIR", "What is missing, of the wrong shape or unreadable."),
        (
            "ubench data check folder --data DIR --image '*/flair.nii.gz' --reference '*/seg.nii.gz'",
            "A cohort of your own.",
        ),
    )
)
@grouped
def check(
    *,
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=complete_dataset, help="Data set.", show_default=False)
    ],
    files: FileOptions,
    as_json: AsJson = False,
) -> None:
    """Open every image and reference mask; say what is missing, of the wrong shape or unreadable.

    Ends with exit code 2 when there are problems.
    """
    from unseg_bench.run.settings import make_dataset

    options = files.given
    allow_missing = bool(options.pop("allow_missing", False))
    opened = make_dataset(plugins_with_warnings().dataset(name), options, allow_missing=True)
    with make_reporter() as reporter:
        reporter.stage_begins("check")
        found = opened.check(reporter.step)
    if allow_missing:
        found = replace(found, notes=(*opened.left_out(), *found.notes))
    else:
        found = replace(found, problems=(*opened.left_out(), *found.problems))
    if as_json:
        print_json(
            {"cases": found.cases, "problems": found.problems, "notes": found.notes, "remedy": found.remedy or None}
        )
    else:
        say(f"{name}: {count_text(found.cases, 'case')}, {count_text(len(found.problems), 'problem')}")
        for note in found.notes:
            say(f"  {note}")
        for problem in found.problems:
            say(f"  problem: {problem}")
        if found.problems and found.remedy:
            say(found.remedy)
    if found.problems:
        raise typer.Exit(DataError.exit_code)
