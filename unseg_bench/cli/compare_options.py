"""The options that say what is compared and how, the same for every command that shows a comparison."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.complete import complete_method
from unseg_bench.cli.one_run import warn_of
from unseg_bench.errors import SettingsError

if TYPE_CHECKING:
    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.compare.settings import CompareSettings
    from unseg_bench.compare.statistics.record import StatisticsSettings

TABLE, STATISTICS, OUTPUT = "Table", "Statistics", "Output"
GROUPS = 5
"""How many groups the paper's table has."""
TABLE_1 = "table1"
"""Name of the printed table that --published means."""


class Empty(StrEnum):
    """What the HD95 of a case counts when one of its two masks is empty."""

    DIAGONAL = "diagonal"
    EXCLUDE = "exclude"
    ZERO = "zero"


class Missing(StrEnum):
    """What is done with cases that not every run has."""

    REFUSE = "refuse"
    COMMON = "common"
    WORST = "worst"


class Correction(StrEnum):
    """How p values are corrected within a family of tests."""

    HOLM = "holm"
    FDR_BY = "fdr_by"


Selectors = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN|METHOD|FOLDER",
        help="Run folders, run names, methods, or folders of runs. Default: of each method the newest run with its "
        "preset's own options on all cases.",
        autocompletion=complete_method,
        show_default=False,
    ),
]
Groups = Annotated[int, typer.Option(min=1, metavar="N", help="How many groups of size.", rich_help_panel=TABLE)]
GroupBy = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Group by a column of the cohort's table, not by size.", rich_help_panel=TABLE),
]
CohortTable = Annotated[
    Path | None,
    typer.Option("--table", metavar="FILE", help="That table: CSV with the case ids.", rich_help_panel=TABLE),
]
EmptyRule = Annotated[
    Empty,
    typer.Option(
        "--empty",
        help="HD95 of a missed tumour: the image's diagonal, left out, or 0 mm as in the authors' code.",
        rich_help_panel=TABLE,
    ),
]
MissingRule = Annotated[
    Missing,
    typer.Option(
        "--missing",
        help="Cases that not every run has: an error, left out, or the worst scores.",
        rich_help_panel=TABLE,
    ),
]
ShowPublished = Annotated[
    bool,
    typer.Option("--published", help="The paper's printed rows beside, and what they can show.", rich_help_panel=TABLE),
]
Reference = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL",
        help="Row that the others are tested against. Default: the best mean DSC.",
        rich_help_panel=STATISTICS,
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        metavar="DSC",
        help="Differences below it count as equivalent. Default: 0.02.",
        rich_help_panel=STATISTICS,
    ),
]
CorrectionRule = Annotated[
    Correction | None,
    typer.Option(
        "--correction", help="Of p values within a family of tests. Default: holm.", rich_help_panel=STATISTICS
    ),
]


def statistics_settings(
    reference: str | None, margin: float | None, correction: Correction | None
) -> "StatisticsSettings":
    """Return what was asked of the statistics. Raises: SettingsError for a margin of 0 or less."""
    from unseg_bench.compare.statistics.record import StatisticsSettings

    default = StatisticsSettings()
    return StatisticsSettings(
        reference=reference,
        margin=default.margin if margin is None else margin,
        correction=default.correction if correction is None else str(correction),
    )


def compare_settings(
    *,
    groups: int = GROUPS,
    group_by: str | None = None,
    table: Path | None = None,
    empty: str = Empty.DIAGONAL,
    missing: str = Missing.REFUSE,
    published: str | None = None,
    statistics: "StatisticsSettings | None" = None,
) -> "CompareSettings":
    """Return how to compare. Raises: SettingsError where one of --group-by and --table lacks the other."""
    from unseg_bench.compare.cohort_table import GroupColumn
    from unseg_bench.compare.settings import CompareSettings

    if group_by is not None and table is None:
        raise SettingsError(f"--group-by {group_by}: name the file that has this column with --table FILE")
    if table is not None and group_by is None:
        raise SettingsError(f"--table {table}: name the column to group by with --group-by COLUMN")
    return CompareSettings(
        groups=groups,
        group_by=None if group_by is None or table is None else GroupColumn(table, group_by),
        empty=str(empty),
        missing=str(missing),
        published=published,
        statistics=statistics,
    )


def comparison_of(selectors: Sequence[str] | None, runs: Path, settings: "CompareSettings") -> "Comparison":
    """Compare the chosen runs. Raises: ScoreError where there is nothing to compare or runs do not belong together."""
    return scores_and_comparison(selectors, runs, settings)[1]


def scores_and_comparison(
    selectors: Sequence[str] | None, runs: Path, settings: "CompareSettings"
) -> "tuple[list[RunScores], Comparison]":
    """As `comparison_of`, with the scores that the comparison is made of."""
    from unseg_bench.compare.compare import compare
    from unseg_bench.compare.runs import collect

    found = collect(runs, selectors or (), settings.missing, warn_of)
    return found.runs, compare(found.runs, settings, found.notes)
