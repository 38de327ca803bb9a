"""`ubench report`: a comparison as one HTML file for people who have neither the runs nor this program."""

from pathlib import Path
from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import DataDir, RunsFolder, grouped
from unseg_bench.cli.table_options import OUTPUT, EmptyRule, GroupOptions, Selectors, ShowPublished, StatisticsOptions
from unseg_bench.console.streams import path_text, say
from unseg_bench.words import bytes_text


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench report", "The newest run of each method, with pictures of every case: report.html."),
        ("ubench report clisc threshold --out page.html --quality 70", "Two methods, finer pictures."),
        ("ubench report --no-cases --title 'Supplement 2'", "Tables, figures and provenance only."),
    ),
)
@grouped
def report(
    *,
    selectors: Selectors = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Where the page goes; replaced whole.", rich_help_panel=OUTPUT
        ),
    ] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Of the page. Default: data and counts.", rich_help_panel=OUTPUT)
    ] = None,
    cases: Annotated[
        bool, typer.Option("--cases/--no-cases", help="With pictures of every case.", rich_help_panel=OUTPUT)
    ] = True,
    quality: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="WebP quality of the pictures.", rich_help_panel=OUTPUT)
    ] = 50,
    data: DataDir = None,
    groups: GroupOptions,
    empty: EmptyRule = "diagonal",
    published: ShowPublished = False,
    statistics: StatisticsOptions,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Write one HTML file that opens offline: tables, statistics, figures, every case's slices, provenance.

    Where the folder of the data has moved since the runs, --data DIR says where it is now.
    """
    from unseg_bench import api

    api.report(
        *(selectors or ()),
        out=out,
        title=title,
        cases=cases,
        quality=quality,
        data=data,
        runs=runs,
        empty=empty,
        published=published,
        **groups.given,
        **statistics.given,
    )
    say(f"{path_text(out)} ({bytes_text(out.stat().st_size)})")
