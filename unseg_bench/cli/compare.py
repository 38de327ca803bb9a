"""`ubench compare`: scores of many runs in one table."""

from pathlib import Path
from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.complete import complete_method
from unseg_bench.cli.text import AsJson, RunsFolder, stdout


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench compare --by-size", "The newest run of each method, by tumour size."),
        ("ubench compare clisc threshold", "Two methods."),
        ("ubench compare runs/phantom/clisc-* --json", "Certain runs, for a script."),
    ),
)
def compare(
    selectors: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|METHOD",
            help="Run folders, run names or methods. Default: the newest complete run of each method on one data set.",
            autocompletion=complete_method,
            show_default=False,
        ),
    ] = None,
    by_size: Annotated[bool, typer.Option("--by-size", help="Also by groups of tumour size.")] = False,
    groups: Annotated[int, typer.Option(min=1, metavar="N", help="How many groups of size.")] = 5,
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Show methods side by side: DSC and HD95, best against second best by a paired t-test.

    Seeds of one method are averaged within each case. Nothing is computed but the table.
    """
    from unseg_bench.compare.compare import compare as compare_runs
    from unseg_bench.compare.runs import collect
    from unseg_bench.compare.settings import CompareSettings

    comparison = compare_runs(collect(runs, selectors or ()), CompareSettings(groups=groups))
    if as_json:
        typer.echo(comparison.to_json(), nl=False)
        return
    from unseg_bench.report.terminal import print_comparison

    print_comparison(comparison, stdout(), by_size=by_size)
