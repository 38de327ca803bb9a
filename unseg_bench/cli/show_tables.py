"""The tables that a method wrote into its run, as `ubench show` prints them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from unseg_bench.console.streams import new_table, print_json, say, stdout
from unseg_bench.data.visible import visible
from unseg_bench.words import count_text

if TYPE_CHECKING:
    from unseg_bench.run.folder import RunFolder

FIRST_ROWS = 3
"""Shown of each table where no table is named."""
_DIGITS = 4
"""Significant ones of a number on the terminal; --json and the file have all."""


def print_table(run: "RunFolder", name: str, *, as_json: bool) -> None:
    """Print all rows of one table; raises DataError naming the tables that there are."""
    from unseg_bench.run.tables import read_table

    table = read_table(run, name)
    if as_json:
        print_json({"run": str(run.path), "table": name, "rows": table.records()})
        return
    _print_rows(table.columns, table.rows)


def alternatives_text(run: "RunFolder") -> str:
    """Return one line on the run's alternative answers, '' where it has none."""
    from statistics import fmean

    from unseg_bench.score.alternatives import read_alternatives

    scores = read_alternatives(run)
    means = {name: f" {100 * fmean(score.dsc for score in own):.2f}" for name, own in scores.items() if own}
    named = ", ".join(f"{name}{means.get(name, '')}" for name in run.alternatives)
    return f"{named} (DSC % of other answers, never compared)" if named else ""


def print_first_rows(run: "RunFolder") -> None:
    """Print the beginning of each of the run's tables."""
    from unseg_bench.run.tables import read_tables

    for table in read_tables(run):
        cut = f", the first {FIRST_ROWS} of them (all: --table {table.name})" if len(table.rows) > FIRST_ROWS else ""
        say(f"\ntable {table.name}: {count_text(len(table.rows), 'row')}{cut}")
        _print_rows(table.columns, table.rows[:FIRST_ROWS])


def _print_rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows one below the other; columns of numbers stand on the right."""
    shown = [[_short(cell) for cell in row] for row in rows]
    numeric = [all(_is_number(row[place]) for row in shown if row[place]) for place in range(len(columns))]
    table = new_table(*columns, right=tuple(name for name, right in zip(columns, numeric, strict=True) if right))
    for row in shown:
        table.add_row(*row)
    stdout().print(table)


def _short(cell: str) -> str:
    """Round a long fraction; make a text one line."""
    if "." in cell and _is_number(cell) and len(cell) > _DIGITS + 2:
        number = float(cell)
        return f"{number:.1f}" if abs(number) >= 1000 else f"{number:.{_DIGITS}g}"
    return visible(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
