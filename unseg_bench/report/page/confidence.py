"""Which cases a page tells its reader to look at, by the confidences that methods stated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unseg_bench.report.numbers import DASH, fixed
from unseg_bench.report.text_table import TextSection, TextTable, plain_columns, text_row
from unseg_bench.run.confidence import level_text, look_text

if TYPE_CHECKING:
    from unseg_bench.compare.comparison import Comparison, ConfidenceRow
    from unseg_bench.report.text_table import TextCell

HEADING = "Cases to look at"
HOW = (
    "A confidence, from 0 to 1, is what a method itself states of its answer for a case. Spearman: the rank "
    "correlation of confidence with DSC over the n cases that have both. Near 1, the cases of low confidence are those "
    "of low DSC. Near 0, the confidence tells nothing of the DSC."
)


def look_words(comparison: Comparison) -> tuple[str, ...]:
    """Return how confidences are to be read, then for each method that names a level all cases below it."""
    lists = [
        f"{row.label}: {look_text(row.look, row.cases, row.look_below)}."
        for row in comparison.confidences
        if row.look_below is not None
    ]
    return (HOW, *lists)


def confidence_table(comparison: Comparison) -> TextTable:
    """Return a row a method that states confidences: its level, how many cases lie below it, and the correlation."""
    rows = comparison.confidences
    return TextTable(
        key="confidence",
        title="Confidences that methods state, seeds averaged",
        columns=plain_columns(
            "method", "cases", "look below", "to look at", "Spearman\nwith DSC", "n", words=("method",)
        ),
        sections=(TextSection(tuple(_row(row) for row in rows)),),
        notes=tuple(f"{row.label}: no rank correlation, since {row.reason}" for row in rows if row.reason is not None),
    )


def _row(row: ConfidenceRow) -> tuple[TextCell, ...]:
    below = row.look_below
    return text_row(
        row.label,
        str(row.cases),
        DASH if below is None else level_text(below),
        DASH if below is None else str(len(row.look)),
        fixed(row.correlation, 2),
        str(row.n),
    )
