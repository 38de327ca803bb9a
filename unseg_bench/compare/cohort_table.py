"""A cohort's own table (scanner, grade, centre ...): a column of it, by case."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unseg_bench.data.visible import visible
from unseg_bench.errors import DataError, SettingsError
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.words import first_of

_DELIMITERS = (",", ";", "\t")
_NOT_GIVEN = frozenset({"", "na", "n/a", "nan"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?")
"""A number as spreadsheets of most of Europe write it; 1,5 in a whole column of such is 1.5."""


@dataclass(frozen=True, slots=True)
class GroupColumn:
    """A column to group cases by: the file of the cohort's table and the column's name."""

    table: Path
    column: str


def group_column(table: Path | None, column: str | None) -> GroupColumn | None:
    """Return the column to group by, None where none was asked for; raises SettingsError where one of both lacks."""
    if table is None and column is None:
        return None
    if table is None:
        raise SettingsError(f"--group-by {column}: name the file that has this column with --table FILE")
    if column is None:
        raise SettingsError(f"--table {table}: name the column to group by with --group-by COLUMN")
    return GroupColumn(table, column)


def read_column(wanted: GroupColumn, cases: Sequence[str]) -> dict[str, str]:
    """Return the column's text of every case, '' where the cell is empty or says NA.

    The table is CSV in UTF-8, its cells apart by comma, semicolon or tab; the column that holds the case ids is found
    by its values. Numbers with decimal commas are read as with points. Raises: SettingsError for an unknown column;
    DataError where the file cannot be read, no column holds the ids, or cases have no row or two.
    """
    header, rows = _read(wanted.table)
    if header.count(wanted.column) != 1:
        how_often = "two columns" if wanted.column in header else "no column"
        raise SettingsError(
            f"{wanted.table} has {how_often} '{wanted.column}'.{did_you_mean(wanted.column, set(header))}"
        )
    ids, column = _id_column(wanted.table, header, rows, cases), header.index(wanted.column)
    wanted_cases = set(cases)
    found: dict[str, str] = {}
    for row in rows:
        if row[ids] not in wanted_cases:
            continue
        if row[ids] in found:
            raise DataError(f"{wanted.table} has two rows for case {row[ids]}; leave one")
        found[row[ids]] = "" if row[column].lower() in _NOT_GIVEN else row[column]
    if found and all(not text or _DECIMAL_COMMA.fullmatch(text) for text in found.values()):
        found = {case: text.replace(",", ".") for case, text in found.items()}
    if lacking := sorted(wanted_cases - found.keys()):
        raise DataError(
            f"{wanted.table} has no row for {len(lacking)} cases: {first_of(sorted(lacking))}; add their rows"
        )
    return found


def _read(table: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, every row as long as the header, cells without space around them."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{table}: not readable as a table ({why}); give a CSV file in UTF-8") from error
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    rows = [
        [visible(cell.strip()) for cell in row]
        for row in csv.reader(io.StringIO(text), delimiter=delimiter)
        if any(row)
    ]
    if not rows:
        raise DataError(f"{table} is empty; give a CSV file with a header and a row for each case")
    header, *body = rows
    for number, row in enumerate(body, start=2):
        if len(row) > len(header):
            raise DataError(f"{table}, row {number}: {len(row)} cells, but the header has {len(header)}; mend the row")
    return header, [row + [""] * (len(header) - len(row)) for row in body]


def _id_column(table: Path, header: Sequence[str], rows: Sequence[Sequence[str]], cases: Sequence[str]) -> int:
    """Index of the column whose cells are case ids, most of them."""
    wanted = set(cases)
    hits = [len({row[index] for row in rows} & wanted) for index in range(len(header))]
    if not max(hits):
        raise DataError(f"{table}: no column holds the case ids ({cases[0]}, ...); add one that does")
    return hits.index(max(hits))
