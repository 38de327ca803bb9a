"""`ubench report`: a comparison as one HTML file for people who have neither the runs nor this program."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.compare_options import (
    OUTPUT,
    TABLE_1,
    CohortTable,
    CorrectionRule,
    Empty,
    EmptyRule,
    GroupBy,
    Groups,
    Margin,
    Missing,
    MissingRule,
    Reference,
    Selectors,
    ShowPublished,
    compare_settings,
    scores_and_comparison,
    statistics_settings,
)
from unseg_bench.cli.data_options import DataDir
from unseg_bench.cli.text import RunsFolder, bytes_text, path_text, say

if TYPE_CHECKING:
    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.report.page.write import PageSettings


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench report", "The newest run of each method, with pictures of every case: report.html."),
        ("ubench report clisc threshold --out page.html --quality 70", "Two methods, finer pictures."),
        ("ubench report --no-cases --title 'Supplement 2'", "Tables, figures and provenance only."),
    ),
)
def report(
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
    groups: Groups = 5,
    group_by: GroupBy = None,
    table: CohortTable = None,
    empty: EmptyRule = Empty.DIAGONAL,
    missing: MissingRule = Missing.REFUSE,
    published: ShowPublished = False,
    reference: Reference = None,
    margin: Margin = None,
    correction: CorrectionRule = None,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Write one HTML file that opens offline: tables, statistics, figures, every case's slices, provenance.

    Where the folder of the data has moved since the runs, --data DIR says where it is now.
    """
    from unseg_bench.report.page.write import PageSettings

    settings = compare_settings(
        groups=groups,
        group_by=group_by,
        table=table,
        empty=empty,
        missing=missing,
        published=TABLE_1 if published else None,
        statistics=statistics_settings(reference, margin, correction),
    )
    scores, comparison = scores_and_comparison(selectors, runs, settings)
    _write(comparison, out, scores, PageSettings(title, quality, data), cases=cases)
    say(f"{path_text(out)} ({bytes_text(out.stat().st_size)})")


def _write(
    comparison: "Comparison", out: Path, scores: "list[RunScores]", settings: "PageSettings", *, cases: bool
) -> None:
    """Write the page and tell on stderr how far it is."""
    from unseg_bench.cli.reporters import make_reporter
    from unseg_bench.report.case_images import CaseImages
    from unseg_bench.report.page import write_page

    browser = CaseImages.of(scores, settings.data) if cases else None
    started = time.monotonic()
    with make_reporter() as reporter:
        reporter.stage_begins("report")
        write_page(
            comparison,
            out,
            browser=browser,
            runs=scores,
            settings=settings,
            progress=reporter.step,
            tell=reporter.message,
        )
        reporter.stage_ends("report", time.monotonic() - started, cached=False)
