"""`ubench compare`: scores of many runs in one table, and as files for papers and other programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import grouped, under
from unseg_bench.cli.table_options import (
    GROUPS,
    OUTPUT,
    STATISTICS,
    TABLE,
    GroupOptions,
    Selectors,
    ShowPublished,
    StatisticsOptions,
)
from unseg_bench.console.streams import path_text, print_json, stdout, warn
from unseg_bench.errors import SettingsError

if TYPE_CHECKING:
    from unseg_bench.compare.comparison import Comparison


@under(TABLE)
@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOptions:
    """What of the comparison is shown, beyond the table of means."""

    by_size: Annotated[bool, typer.Option("--by-size", help="Also by groups of tumour size.")] = False
    empty: Annotated[
        Literal["diagonal", "exclude", "zero", "all"],
        typer.Option(
            help="HD95 of a missed tumour: the image's diagonal, left out, or 0 mm as in the authors' code; "
            "all: side by side."
        ),
    ] = "diagonal"
    published: ShowPublished = False
    stats: Annotated[
        bool, typer.Option("--stats", help="Tests, effects, intervals, ranks, seeds.", rich_help_panel=STATISTICS)
    ] = False
    claims: Annotated[
        bool, typer.Option("--claims", help="What can be claimed, and what cannot.", rich_help_panel=STATISTICS)
    ] = False


@under(OUTPUT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions:
    """Where the comparison goes, and where the runs are."""

    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write a file, statistics in it: .md, .tex, .html, .json; every case: .csv, .parquet, "
            ".challenger.csv. Repeatable.",
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout; the statistics with --stats.")] = False
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder of the runs.")] = Path("runs")


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench compare --by-size", "The newest run of each method, by tumour size."),
        ("ubench compare clisc threshold --stats --claims", "Two methods: tests, intervals, and what can be claimed."),
        ("ubench compare --out table.tex --out cases.csv", "For a paper, and every case for another program."),
        ("ubench compare --metric recall --metric precision", "Other metrics than DSC and HD95."),
        ("ubench compare --group-by grade --table cohort.csv", "By a column of the cohort's own table."),
        ("ubench compare runs/phantom/clisc-* --json", "Certain runs, for a script."),
    ),
)
@grouped
def compare(
    *,
    selectors: Selectors = None,
    shown: ShownOptions,
    groups: GroupOptions,
    statistics: StatisticsOptions,
    result: ResultOptions,
) -> None:
    """Show methods side by side: DSC and HD95, best against second best by a paired t-test.

    Seeds are averaged within each case. Statistics are computed only where asked for.
    """
    from unseg_bench import api
    from unseg_bench.report.exports import check_path

    files = result.out or []
    for path in files:
        check_path(path)
    wanted = shown.stats or shown.claims or bool(files)
    for name, value in {} if wanted else statistics.given.items():
        raise SettingsError(f"--{name} {value}: belongs to the statistics; add --stats, --claims or --out FILE")
    compared = api.compare(
        *(selectors or ()),
        runs=result.runs,
        empty="diagonal" if shown.empty == "all" else shown.empty,
        published=shown.published,
        statistics=wanted,
        **groups.given,
        **statistics.given,
    )
    for path in files:
        compared.write(path)
    if result.as_json:
        print_json(compared.comparison.to_dict())
    else:
        by_groups = bool(groups.metrics) or groups.group_by is not None or groups.groups != GROUPS
        names = (groups.metrics or ["dsc"]) if shown.by_size or by_groups else []
        _print(compared.comparison, shown, names)
    for path in files:
        warn(f"wrote {path_text(path)}")


def _print(comparison: "Comparison", shown: ShownOptions, metrics: Sequence[str]) -> None:
    """Print the table, with the groups' columns of `metrics`."""
    from unseg_bench.report.terminal import print_comparison
    from unseg_bench.score.metrics import find_metric

    print_comparison(
        comparison,
        stdout(),
        metrics=[find_metric(name, {one.name: one for one in comparison.metrics}) for name in metrics],
        policies=shown.empty == "all",
        statistics=shown.stats,
        claims=shown.claims,
    )
