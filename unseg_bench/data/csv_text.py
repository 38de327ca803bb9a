"""CSV that a spreadsheet opens as a table: text is never run as a formula, and is read back as it was."""

import csv
import io
from collections.abc import Iterable

from unseg_bench.data.visible import visible

_FORMULA = ("=", "+", "-", "@", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes a cell for a formula by (OWASP, 'CSV Injection')."""
_QUOTE = "'"


def csv_text(rows: Iterable[Iterable[object]], nothing: str = "") -> str:
    """Return the rows as CSV, each cell as `csv_cell` writes it."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([csv_cell(value, nothing) for value in row] for row in rows)
    return text.getvalue()


def csv_cell(value: object, nothing: str = "") -> str:
    """Return a cell's text: a number to the last bit, 'true' or 'false', `nothing` for None, text without harm.

    Text that a spreadsheet would run as a formula has an apostrophe before it; control characters are written out,
    line breaks aside.
    """
    if value is None:
        return nothing
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    text = visible(value, keep="\n")
    return f"{_QUOTE}{text}" if _is_formula(text) else text


def cell_text(cell: str) -> str:
    """Return the text that `csv_cell` wrote."""
    return cell.removeprefix(_QUOTE) if cell.startswith(_QUOTE) and _is_formula(cell) else cell


def _is_formula(text: str) -> bool:
    """Whether a text would be run, or was put behind apostrophes so that it is not."""
    return text.lstrip(_QUOTE).startswith(_FORMULA)
