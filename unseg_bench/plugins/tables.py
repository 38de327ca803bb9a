"""A method's own tables: names, cells and CSV text, checked the same wherever the method runs."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np

from unseg_bench.data.csv_text import csv_cell
from unseg_bench.plugins.confidence import CONFIDENCE

Cell: TypeAlias = "str | float | bool | None"
Rows: TypeAlias = "Sequence[Mapping[str, Cell]]"

MOST_CHARACTERS = 8_000_000
"""Of one table's text."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def table_text(name: str, rows: Rows) -> str:
    """Return the table as CSV: the names of the first row on top, then one line a row; no rows give no text.

    Numbers read back are the same to the last bit; None is an empty cell. Raises ValueError for a name that is not
    made of letters, digits, '-' and '_', for rows that differ in their names, other values, and too long a table.
    """
    if not is_table_name(name):
        raise ValueError(f"table {name!r}: a name is 1 to 64 letters, digits, '-' and '_'")
    columns = list(rows[0]) if rows else []
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    for number, row in enumerate(rows, start=1):
        if set(row) != set(columns):
            raise ValueError(f"table {name}: row {number} has the names {list(row)}, the first one has {columns}")
        writer.writerow([_cell_text(name, column, row[column]) for column in columns])
        if text.tell() > MOST_CHARACTERS:
            raise ValueError(f"table {name}: more than {MOST_CHARACTERS:,} characters in its first {number} rows")
    return text.getvalue() if columns else ""


def refuse_own_name(name: str) -> None:
    """Raise ValueError for the name of the table that the harness itself writes."""
    if name == CONFIDENCE:
        raise ValueError(f"table {name!r}: is written by the harness, from what context.confidence was told; rename it")


def is_table_name(name: str) -> bool:
    """Whether a name can be that of a table."""
    return _NAME.fullmatch(name) is not None


def plain_rows(rows: Rows) -> list[dict[str, Cell]]:
    """Return the rows with NumPy's scalars as Python's."""
    return [{column: _plain(value) for column, value in row.items()} for row in rows]


def _cell_text(name: str, column: str, value: Cell) -> str:
    plain = cast("object", _plain(value))
    if isinstance(plain, str):
        plain.encode()
    if plain is None or isinstance(plain, str | bool | int | float):
        return csv_cell(plain)
    raise ValueError(f"table {name}: the column {column!r} holds a {type(plain).__name__}; text, numbers, bool or None")


def _plain(value: Cell) -> Cell:
    if isinstance(value, np.generic):
        return value.item()
    return value
