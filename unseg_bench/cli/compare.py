"""`ubench compare`: scores of many runs in one table, and as files for papers and other programs."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.compare_options import (
    GROUPS,
    OUTPUT,
    STATISTICS,
    TABLE,
    TABLE_1,
    CohortTable,
    CorrectionRule,
    GroupBy,
    Groups,
    Margin,
    Missing,
    MissingRule,
    Reference,
    Selectors,
    ShowPublished,
    compare_settings,
    comparison_of,
    statistics_settings,
)
from unseg_bench.cli.text import path_text, print_json, stdout, warn
from unseg_bench.errors import SettingsError

if TYPE_CHECKING:
    from unseg_bench.compare.comparison import Metric

ALL_POLICIES = "all"


class GroupMetric(StrEnum):
    """Whose columns the groups have."""

    DSC = "dsc"
    HD95 = "hd95"
    BOTH = "both"


class ShownEmpty(StrEnum):
    """What the HD95 of a case counts when one of its two masks is empty; `all`: every policy side by side."""

    DIAGONAL = "diagonal"
    EXCLUDE = "exclude"
    ZERO = "zero"
    ALL = ALL_POLICIES


_METRICS: "dict[GroupMetric, tuple[Metric, ...]]" = {
    GroupMetric.DSC: ("dsc",),
    GroupMetric.HD95: ("hd95_mm",),
    GroupMetric.BOTH: ("dsc", "hd95_mm"),
}


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench compare --by-size", "The newest run of each method, by tumour size."),
        ("ubench compare clisc threshold --stats --claims", "Two methods: tests, intervals, and what can be claimed."),
        ("ubench compare --out table.tex --out cases.csv", "For a paper, and every case for another program."),
        ("ubench compare --group-by grade --table cohort.csv", "By a column of the cohort's own table."),
        ("ubench compare runs/phantom/clisc-* --json", "Certain runs, for a script."),
    ),
)
def compare(
    selectors: Selectors = None,
    by_size: Annotated[
        bool, typer.Option("--by-size", help="Also by groups of tumour size.", rich_help_panel=TABLE)
    ] = False,
    groups: Groups = GROUPS,
    group_by: GroupBy = None,
    table: CohortTable = None,
    metric: Annotated[
        GroupMetric | None,
        typer.Option(help="Whose columns the groups have. Default: dsc.", rich_help_panel=TABLE),
    ] = None,
    empty: Annotated[
        ShownEmpty,
        typer.Option(
            help="HD95 of a missed tumour: the image's diagonal, left out, or 0 mm as in the authors' code; "
            "all: side by side.",
            rich_help_panel=TABLE,
        ),
    ] = ShownEmpty.DIAGONAL,
    missing: MissingRule = Missing.REFUSE,
    published: ShowPublished = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Tests, effects, intervals, ranks, seeds.", rich_help_panel=STATISTICS)
    ] = False,
    claims: Annotated[
        bool, typer.Option("--claims", help="What can be claimed, and what cannot.", rich_help_panel=STATISTICS)
    ] = False,
    reference: Reference = None,
    margin: Margin = None,
    correction: CorrectionRule = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write a file, statistics in it: .md, .tex, .html, .json; every case: .csv, .parquet, "
            ".challenger.csv. Repeatable.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON on stdout; the statistics with --stats.", rich_help_panel=OUTPUT)
    ] = False,
    runs: Annotated[
        Path, typer.Option("--runs", metavar="DIR", help="Folder of the runs.", rich_help_panel=OUTPUT)
    ] = Path("runs"),
) -> None:
    """Show methods side by side: DSC and HD95, best against second best by a paired t-test.

    Seeds are averaged within each case. Statistics are computed only where asked for.
    """
    from unseg_bench.report.exports import check_path, write

    files = out or []
    for path in files:
        check_path(path)
    shows_groups = by_size or group_by is not None or metric is not None or groups != GROUPS
    wanted = stats or claims or bool(files)
    _refuse_idle(wanted, reference=reference, margin=margin, correction=correction)
    settings = compare_settings(
        groups=groups,
        group_by=group_by,
        table=table,
        empty="diagonal" if empty is ShownEmpty.ALL else empty,
        missing=missing,
        published=TABLE_1 if published else None,
        statistics=statistics_settings(reference, margin, correction) if wanted else None,
    )
    comparison = comparison_of(selectors, runs, settings)
    for path in files:
        write(comparison, path)
    if as_json:
        print_json(comparison.to_dict())
    else:
        from unseg_bench.report.terminal import print_comparison

        print_comparison(
            comparison,
            stdout(),
            metrics=_METRICS[metric or GroupMetric.DSC] if shows_groups else (),
            policies=empty is ShownEmpty.ALL,
            statistics=stats,
            claims=claims,
        )
    for path in files:
        warn(f"wrote {path_text(path)}")


def _refuse_idle(wanted: bool, **options: object) -> None:
    """Raise SettingsError for an option of the statistics where none are computed."""
    for name, value in options.items():
        if value is not None and not wanted:
            raise SettingsError(f"--{name} {value}: belongs to the statistics; add --stats, --claims or --out FILE")
