"""A table of words as lines for a terminal: numbers are never cut, what does not fit beside goes on below."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from unseg_bench.data.visible import visible
from unseg_bench.report.notes import BELOW_FLOOR, STAR
from unseg_bench.report.text_table import TextCell, TextColumn, TextTable

BEST, SECOND = "a", "b"
"""Letters after the best and the second best, so that they can be told apart without colour too."""
_LETTERS = {"best": BEST, "second": SECOND, "": ""}
_STYLES = {"best": "bold", "second": "underline", "": ""}
_FOLDED = 20
"""Words are folded to this width, and no further, before a table is split."""


def lines_of(table: TextTable, console: Console) -> list[Text]:
    """Return the table in lines no wider than the console, in as few pieces as fit, each naming its rows again.

    Numbers stay whole: a single column of them that is wider than the console stays so.
    """
    lines: list[Text] = []
    for piece in _pieces(table, console.width):
        lines += [*([Text()] if lines else []), *_piece_lines(piece, console)]
    return lines


def fits(table: TextTable, width: int) -> bool:
    """Whether a table can be set in one piece, its words folded at worst."""
    return _least(table) <= width


def _pieces(table: TextTable, width: int) -> Iterator[TextTable]:
    start = table.lead
    while start < len(table.columns):
        end = len(table.columns)
        while end > start + 1 and not fits(_piece(table, start, end), width):
            end -= 1
        yield _piece(table, start, end)
        start = end


def _piece(table: TextTable, start: int, end: int) -> TextTable:
    """The columns that name the rows, and those from start to end."""
    kept = [*range(table.lead), *range(start, end)]
    sections = tuple(
        replace(section, rows=tuple(tuple(row[i] for i in kept) for row in section.rows)) for section in table.sections
    )
    return replace(table, columns=tuple(table.columns[i] for i in kept), sections=sections)


def _natural_widths(table: TextTable) -> list[int]:
    return [max(text.cell_len for text in (*_head(column), *_body(table, i))) for i, column in enumerate(table.columns)]


def _least(table: TextTable) -> int:
    """The width below which a table must be split: words folded, one space between columns."""
    widths = zip(table.columns, _natural_widths(table), strict=True)
    return sum(width if column.number else min(width, _FOLDED) for column, width in widths) + len(table.columns) - 1


def _widths(table: TextTable, width: int) -> tuple[list[int], int]:
    """Width of every column and of the gaps: two where there is room, else one and the widest words are folded."""
    widths, gaps = _natural_widths(table), len(table.columns) - 1
    if sum(widths) + 2 * gaps <= width:
        return widths, 2
    words = [i for i, column in enumerate(table.columns) if not column.number]
    while words and sum(widths) + gaps > width:
        widest = max(words, key=lambda i: widths[i])
        if widths[widest] <= _FOLDED // 2:
            break
        widths[widest] -= 1
    return widths, 1


def _piece_lines(table: TextTable, console: Console) -> list[Text]:
    widths, gap = _widths(table, console.width)
    head = [_head(column) for column in table.columns]
    depth = max(map(len, head))
    raised = [[Text()] * (depth - len(lines)) + lines for lines in head]
    lines = [_line([own[i] for own in raised], widths, gap, "bold") for i in range(depth)]
    bodies = [_body(table, i) for i in range(len(table.columns))]
    at = 0
    for section in table.sections:
        if at or section.title:
            lines.append(Text("─" * min(sum(widths) + gap * (len(widths) - 1), console.width), style="dim"))
        if section.title:
            lines += Text(visible(section.title), style="italic").wrap(console, console.width)
        for _ in section.rows:
            folded = [list(body[at].wrap(console, width)) for body, width in zip(bodies, widths, strict=True)]
            deep = max(map(len, folded))
            lines += [
                _line([own[i] if i < len(own) else Text() for own in folded], widths, gap, "") for i in range(deep)
            ]
            at += 1
    return lines


def _line(texts: Sequence[Text], widths: Sequence[int], gap: int, style: str) -> Text:
    line = Text(style=style)
    for i, (text, width) in enumerate(zip(texts, widths, strict=True)):
        line.append_text(text)
        if i + 1 < len(widths):
            line.append(" " * (width - text.cell_len + gap))
    line.rstrip()
    return line


def _head(column: TextColumn) -> list[Text]:
    return [Text(visible(line)) for line in column.heading]


def _body(table: TextTable, index: int) -> list[Text]:
    """A column's cells; numbers padded so that what is before '±', or else the whole, ends below each other."""
    cells = [row[index] for row in table.rows]
    if not table.columns[index].number:
        return [_text(cell, 0) for cell in cells]
    points = [_point(cell) for cell in cells]
    heading = 0 if any("±" in cell.text for cell in cells) else max(map(len, table.columns[index].heading))
    furthest = max((heading, *points))
    return [_text(cell, furthest - point) for cell, point in zip(cells, points, strict=True)]


def _point(cell: TextCell) -> int:
    before, sign, _ = cell.text.partition("±")
    return len(before) if sign else len(cell.text)


def _text(cell: TextCell, shift: int) -> Text:
    text = Text(" " * shift)
    text.append(visible(cell.text), style=_STYLES[cell.emphasis])
    text.append(_LETTERS[cell.emphasis] + STAR * cell.star)
    for mark in cell.marks:
        text.append(f" {mark}", style="red" if mark == BELOW_FLOOR else "")
    return text
