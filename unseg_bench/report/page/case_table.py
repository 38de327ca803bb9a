"""All cases of all methods as one table, the worst first."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from unseg_bench.report.numbers import amount, fixed, volume
from unseg_bench.report.text_table import TextCell, TextColumn, TextSection, TextTable, text_row
from unseg_bench.score.metrics import DSC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unseg_bench.compare.comparison import CaseEntry, Comparison

MEAN_COLUMN = 3
"""The column that the rows are sorted by."""


def case_table(comparison: Comparison) -> TextTable:
    """Return a row a case: group, volume, mean DSC of all methods, every metric of every method, confidences stated.

    Rows begin with the lowest mean DSC; a dash stands where a method has no prediction.
    """
    by_case: dict[str, dict[str, CaseEntry]] = {}
    for entry in comparison.entries:
        by_case.setdefault(entry.case, {})[entry.label] = entry
    means = {case: _mean_dsc(list(entries.values())) for case, entries in by_case.items()}
    in_order = sorted(by_case, key=lambda case: (means[case] is None, means[case] or 0.0, case))
    columns = (
        TextColumn(("case",), number=False),
        TextColumn((comparison.grouping,), number=False),
        TextColumn(("tumour", "ml")),
        TextColumn(("mean", DSC.heading)),
        *(TextColumn((label, metric.heading)) for metric in comparison.metrics for label in comparison.labels),
        *(TextColumn((row.label, "confidence")) for row in comparison.confidences),
    )
    rows = tuple(_row(case, by_case[case], means[case], comparison) for case in in_order)
    return TextTable(
        key="per-case",
        title="Every case of every method, seeds averaged; the lowest mean DSC first",
        columns=columns,
        sections=(TextSection(rows),),
    )


def case_scores(comparison: Comparison) -> dict[str, dict[str, str]]:
    """Return, by case and label, the words that stand below a picture; '' is the reference."""
    words: dict[str, dict[str, str]] = {}
    for entry in comparison.entries:
        of_case = words.setdefault(entry.case, {"": f"{volume(entry.tumour_ml)} ml"})
        scores = [
            f"{metric.title} {amount(entry.values[metric.name], metric, 1)} {metric.unit}".rstrip()
            for metric in comparison.metrics
        ]
        of_case[entry.label] = ", ".join((*scores, f"{volume(entry.predicted_ml)} ml"))
    return words


def _mean_dsc(entries: Sequence[CaseEntry]) -> float | None:
    known = [value for entry in entries if (value := entry.values[DSC.name]) is not None]
    return fmean(known) if known else None


def _row(case: str, entries: dict[str, CaseEntry], mean: float | None, comparison: Comparison) -> tuple[TextCell, ...]:
    """Return the cells of one case."""
    first = next(iter(entries.values()))
    found = [entries.get(label) for label in comparison.labels]
    stated = comparison.confidences
    return text_row(
        case,
        first.group,
        volume(first.tumour_ml),
        amount(mean, DSC),
        *(
            amount(None if entry is None else entry.values[metric.name], metric)
            for metric in comparison.metrics
            for entry in found
        ),
        *(fixed(None if (entry := entries.get(row.label)) is None else entry.confidence, 2) for row in stated),
    )
