"""All cases of all methods as one table, the worst first."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from unseg_bench.report.numbers import DASH, amount, metric_heading, volume
from unseg_bench.report.text_table import TextCell, TextColumn, TextSection, TextTable, text_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unseg_bench.compare.comparison import CaseEntry, Comparison

MEAN_COLUMN = 3
"""The column that the rows are sorted by."""


def case_table(comparison: Comparison) -> TextTable:
    """Return a row a case: group, volume, mean DSC of all methods, then every method's DSC (%) and HD95 (mm).

    Rows begin with the lowest mean DSC; a dash stands where a method has no prediction.
    """
    by_case: dict[str, dict[str, CaseEntry]] = {}
    for entry in comparison.entries:
        by_case.setdefault(entry.case, {})[entry.label] = entry
    means = {case: _mean_dsc(list(entries.values())) for case, entries in by_case.items()}
    in_order = sorted(by_case, key=lambda case: (means[case] is None, means[case] or 0.0, case))
    dsc, hd95 = metric_heading("dsc"), metric_heading("hd95_mm")
    columns = (
        TextColumn(("case",), number=False),
        TextColumn((comparison.grouping,), number=False),
        TextColumn(("tumour", "ml")),
        TextColumn(("mean", dsc)),
        *(TextColumn((label, heading)) for heading in (dsc, hd95) for label in comparison.labels),
    )
    rows = tuple(_row(case, by_case[case], means[case], comparison.labels) for case in in_order)
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
        of_case[entry.label] = (
            f"DSC {amount(entry.dsc, 'dsc', 1)} %, HD95 {amount(entry.hd95_mm, 'hd95_mm', 1)} mm, {_volume(entry)}"
        )
    return words


def _volume(entry: CaseEntry) -> str:
    return f"{DASH if entry.predicted_ml is None else volume(entry.predicted_ml)} ml"


def _mean_dsc(entries: Sequence[CaseEntry]) -> float | None:
    known = [entry.dsc for entry in entries if entry.dsc is not None]
    return fmean(known) if known else None


def _row(case: str, entries: dict[str, CaseEntry], mean: float | None, labels: Sequence[str]) -> tuple[TextCell, ...]:
    """Return the cells of one case."""
    first = next(iter(entries.values()))
    found = [entries.get(label) for label in labels]
    return text_row(
        case,
        first.group,
        volume(first.tumour_ml),
        amount(mean, "dsc"),
        *(amount(None if entry is None else entry.dsc, "dsc") for entry in found),
        *(amount(None if entry is None else entry.hd95_mm, "hd95_mm") for entry in found),
    )
