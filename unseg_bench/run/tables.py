"""A run's tables, `tables/<name>.csv`: what its method told of how it works, beside the scores."""

import csv
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from unseg_bench.data.atomic import write_text
from unseg_bench.data.csv_text import cell_text
from unseg_bench.errors import DataError, RunError
from unseg_bench.plugins.confidence import CONFIDENCE
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.plugins.tables import MOST_CHARACTERS, Cell, Rows, is_table_name, table_text
from unseg_bench.run.folder import RunFolder

MOST_TABLES = 100
"""Of a method in one run, beside the harness's own."""
MOST_BYTES = 4 * MOST_CHARACTERS
"""Of one table's file."""

LONGEST_NUMBER = 32
"""In characters; a longer one is text."""


@dataclass(frozen=True, slots=True)
class RunTable:
    """A table as it is in the run's folder: rows of cells under their columns, all text."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def records(self) -> list[dict[str, Cell]]:
        """Return the rows by column: a number or bool where one is written just so, None where the cell is empty.

        The column 'case' is text, whatever ids look like.
        """
        named = [list(zip(self.columns, row, strict=True)) for row in self.rows]
        return [{column: cell if column == "case" else _value(cell) for column, cell in row} for row in named]


def write_table(run: RunFolder, name: str, rows: Rows) -> None:
    """Write a table into a run's folder, whole or not at all; one of the same name is replaced.

    Raises ValueError as `table_text`; RunError where the run has MOST_TABLES others, or for a full disk.
    """
    text = table_text(name, rows)
    others = [path for path in _files(run) if path.stem not in {name, CONFIDENCE}]
    if len(others) >= MOST_TABLES:
        raise RunError(f"table {name}: the run has {len(others)} tables already, and no more are kept")
    write_text(run.own("tables", f"{name}.csv"), text)


def read_tables(run: RunFolder) -> list[RunTable]:
    """Read all tables of a run, in order of their names; raises DataError naming a damaged file."""
    return [_read(run, path) for path in _files(run)]


def read_table(run: RunFolder, name: str) -> RunTable:
    """Read one table; raises DataError naming the tables that there are, or a damaged file."""
    known = {path.stem: path for path in _files(run)}
    if name not in known:
        raise DataError(f"{run.path}: no table '{name}'.{did_you_mean(name, known) if known else ' It has none.'}")
    return _read(run, known[name])


def _files(run: RunFolder) -> list[Path]:
    found = sorted(path for path in run.own("tables").glob("*.csv") if is_table_name(path.stem))
    if len([path for path in found if path.stem != CONFIDENCE]) > MOST_TABLES:
        raise DataError(f"{run.path / 'tables'}: more than {MOST_TABLES} tables, which no run writes; remove some")
    return found


def _read(run: RunFolder, path: Path) -> RunTable:
    again = "`ubench run --force` makes it again"
    try:
        if run.own("tables", path.name).stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: more than {MOST_BYTES:,} bytes, which no run writes; {again}")
        with path.open(newline="", encoding="utf-8") as file:
            lines = [tuple(map(cell_text, line)) for line in csv.reader(file, strict=True)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table ({error}); {again}") from error
    columns, rows = (lines[0], lines[1:]) if lines else ((), [])
    if any(len(row) != len(columns) for row in rows):
        raise DataError(f"{path}: not every line has {len(columns)} cells; {again}")
    return RunTable(path.stem, columns, tuple(rows))


def _value(text: str) -> Cell:
    if text in {"", "true", "false"}:
        return {"": None, "true": True, "false": False}[text]
    for kind in (int, float) if len(text) <= LONGEST_NUMBER else ():
        with suppress(ValueError):
            value = kind(text)
            if repr(value) == text:
                return value
    return text
