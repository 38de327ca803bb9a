"""The options that say what is compared and how, the same for every command that shows a comparison."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from unseg_bench.cli.options import complete_method, under
from unseg_bench.score.metrics import BOTH

TABLE, STATISTICS, OUTPUT = "Table", "Statistics", "Output"
GROUPS = 5
"""How many groups the paper's table has."""

Empty = Literal["diagonal", "exclude", "zero"]
"""What the HD95 of a case counts when one of its two masks is empty."""
Missing = Literal["refuse", "common", "worst"]
"""What is done with cases that not every run has."""
Correction = Literal["holm", "fdr_by"]
"""How p values are corrected within a family of tests."""
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
MissingRule = Annotated[
    Missing,
    typer.Option(
        "--missing",
        help="Cases that not every run has: an error, left out, or the worst scores.",
        rich_help_panel=TABLE,
    ),
]
EmptyRule = Annotated[
    Empty,
    typer.Option(
        "--empty",
        help="HD95 of a missed tumour: the image's diagonal, left out, or 0 mm as in the authors' code.",
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


@under(TABLE)
@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOptions:
    """What the columns are, and whose cases they hold."""

    groups: Annotated[int, typer.Option(min=1, metavar="N", help="How many groups of size.")] = GROUPS
    group_by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Group by a column of the cohort's table, not by size.")
    ] = None
    table: Annotated[
        Path | None, typer.Option("--table", metavar="FILE", help="That table: CSV with the case ids.")
    ] = None
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Another metric beside DSC and HD95, such as recall or surface_dsc, in the groups too; dsc, hd95, "
            "both: whose columns the groups of the table have. Repeatable.",
        ),
    ] = None
    missing: MissingRule = "refuse"

    @property
    def metrics(self) -> list[str]:
        """The names of the metrics that were asked for."""
        return [name for word in self.metric or () for name in (["dsc", "hd95"] if word == BOTH else [word])]

    @property
    def given(self) -> dict[str, Any]:
        """The arguments of `api.compare` that these options are."""
        return {
            "groups": self.groups,
            "group_by": self.group_by,
            "table": self.table,
            "metrics": self.metrics,
            "missing": self.missing,
        }


@under(STATISTICS)
@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsOptions:
    """What is fixed of the statistics before anything is looked at."""

    reference: Reference = None
    margin: Annotated[
        float | None, typer.Option(metavar="DSC", help="Differences below it count as equivalent. Default: 0.02.")
    ] = None
    correction: Annotated[
        Correction | None, typer.Option("--correction", help="Of p values within a family of tests. Default: holm.")
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The arguments of `api.compare` that were given."""
        values = {"reference": self.reference, "margin": self.margin, "correction": self.correction}
        return {name: value for name, value in values.items() if value is not None}


@under(OUTPUT)
@dataclass(frozen=True, slots=True, kw_only=True)
class TableFiles:
    """What becomes of the tables of rows that differ in options."""

    missing: MissingRule = "refuse"
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write the table, with statistics: .md, .tex, .html, .json; every case: .csv, .parquet, "
            ".challenger.csv. A study's rows are tested against its last. Repeatable.",
        ),
    ] = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files to write."""
        return tuple(self.out or ())

    def check(self) -> None:
        """Raise SettingsError, before anything is run, for a file that could not be written."""
        from unseg_bench.report.exports import check_path

        for path in self.files:
            check_path(path)
