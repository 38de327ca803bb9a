"""A comparison in long form, a row a case and method: for pandas, R and spreadsheets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unseg_bench.compare.comparison import Comparison, MethodRow
from unseg_bench.data.atomic import whole_file
from unseg_bench.data.csv_text import csv_text
from unseg_bench.report.notes import NO_EVIDENCE

_OF_DATA = ("dataset", "split", "part", "evidence")
_OF_METHOD = ("method", "label", "label_free", "is_floor", "below_floor")
_OF_CASE = ("case", "group", "tumour_ml", "predicted_ml")
_COUNTS = ("seeds", "empty_predictions", "missing")
"""Columns of the long form, in order; between the last two a column for each metric, dsc and hd95_mm first.

dsc 0-1; values are what the tables' means are made of: empty where the case is in no mean, the worst values where a
missing case counts so (`--missing worst`).

evidence: false for a phantom, whose figures say nothing about the real methods. below_floor: of the method, over all
cases. seeds: how many have a prediction. empty_predictions: of them, without a voxel though there is a tumour. missing:
seeds without a prediction.
"""
CHALLENGER_COLUMNS = ("task", "case", "algorithm", "value", "note")
"""challengeR takes the first four by name; it lets one call to as.challenge have one direction, so one task a call."""
_SCHEMA = "unseg-bench/cases/2"


def columns_of(comparison: Comparison) -> tuple[str, ...]:
    """Return the columns of the long form, in order."""
    return (*_OF_DATA, *_OF_METHOD, *_OF_CASE, *(metric.name for metric in comparison.metrics), *_COUNTS)


def case_rows(comparison: Comparison) -> Iterator[dict[str, str | float | int | bool | None]]:
    """Yield a row for every case and method, by the names of `columns_of`; None where there is no number."""
    rows = {row.label: row for row in comparison.rows}
    for entry in comparison.entries:
        row = rows[entry.label]
        yield {
            **{name: getattr(comparison, name) for name in _OF_DATA},
            **{name: getattr(row, name) for name in _OF_METHOD},
            **{name: getattr(entry, name) for name in _OF_CASE},
            **entry.values,
            **{name: getattr(entry, name) for name in _COUNTS},
        }


def long_text(comparison: Comparison) -> str:
    """Return the long form as CSV: numbers to the last bit, an empty cell where there is none, 'true' and 'false'."""
    return csv_text([columns_of(comparison), *(row.values() for row in case_rows(comparison))])


def challenger_text(comparison: Comparison) -> str:
    """Return CSV as challengeR reads it: a row per metric, case and method; NA where there is none.

    Only the cases that are compared; a note says how many a method lacks.
    """
    cases, notes = set(comparison.cases), {row.label: _note(comparison, row) for row in comparison.rows}
    rows = (
        (metric.name, entry.case, entry.label, entry.values[metric.name], notes[entry.label])
        for metric in comparison.metrics
        for entry in comparison.entries
        if entry.case in cases
    )
    return csv_text([CHALLENGER_COLUMNS, *rows], nothing="NA")


def write_parquet(comparison: Comparison, path: Path) -> None:
    """Write the long form as Parquet; the file's metadata holds the whole comparison as JSON, statistics included."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        **dict.fromkeys(("evidence", "is_floor", "below_floor"), pa.bool_()),
        **dict.fromkeys(("tumour_ml", "predicted_ml", *(one.name for one in comparison.metrics)), pa.float64()),
        **dict.fromkeys(_COUNTS, pa.int64()),
    }
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns_of(comparison)])
    schema = schema.with_metadata({"schema": _SCHEMA, "unseg-bench": comparison.to_json()})
    table: Any = pa.Table.from_pylist(list(case_rows(comparison)), schema=schema)
    with whole_file(path) as temporary:
        parquet.write_table(table, temporary)


def _note(comparison: Comparison, row: MethodRow) -> str:
    """What a reader of a method's values must know."""
    missing = row.cells["dsc"].missing
    words = (
        f"below the floor {comparison.floor}" if row.below_floor else "",
        f"{missing} of {comparison.planned * len(row.seeds)} predictions missing" if missing else "",
        "" if comparison.evidence else NO_EVIDENCE,
    )
    return "; ".join(filter(None, words))
