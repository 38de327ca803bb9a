"""A comparison as Markdown that GitHub renders: tables with bold, underlined and raised marks, notes below."""

import re

from unseg_bench.compare.claims import claims
from unseg_bench.compare.comparison import Comparison
from unseg_bench.data.visible import visible
from unseg_bench.report.notes import CLAIMS_TITLE, STAR, comparison_title, warnings
from unseg_bench.report.statistics_tables import statistics_tables
from unseg_bench.report.tables import score_tables
from unseg_bench.report.text_table import TextCell, TextTable, rank_legend

_SPECIAL = re.compile(r"[\\`*_{}\[\]#|~$]")
_BEGINS_BLOCK = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-+](?:[\s-]|$)))")
"""Where a text at the start of a line would begin a list, or be a rule."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def markdown(comparison: Comparison) -> str:
    """Return all tables, the statistics' too, and with them the sentences that they carry."""
    parts = [f"# {escape(comparison_title(comparison))}", *(f"> **{escape(line)}**" for line in warnings(comparison))]
    main, *others = score_tables(comparison)
    parts += _table(main)
    for table in (*others, *statistics_tables(comparison)):
        parts += [f"## {escape(table.title)}", *_table(table)]
    if comparison.statistics is not None:
        parts += [f"## {CLAIMS_TITLE}", "\n".join(f"- {escape(claim.text)}" for claim in claims(comparison))]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, in a table too."""
    plain = _SPECIAL.sub(r"\\\g<0>", visible(" ".join(text.split())).translate(_ENTITIES))
    return _BEGINS_BLOCK.sub(r"\1\\", plain)


def _table(table: TextTable) -> list[str]:
    """The table and its notes."""
    lines = [
        _line(["<br>".join(map(escape, column.heading)) for column in table.columns]),
        _line(["---:" if column.number else ":---" for column in table.columns]),
    ]
    for section in table.sections:
        if section.title:
            lines.append(_line([f"*{escape(section.title)}*", *[""] * (len(table.columns) - 1)]))
        lines += [_line([_cell(cell) for cell in row]) for row in section.rows]
    legend = [rank_legend("**bold**", "<ins>underlined</ins>")] if table.ranked else []
    notes = [*legend, *map(escape, table.notes)]
    return ["\n".join(lines), *(["\n".join(f"- {note}" for note in notes)] if notes else [])]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: TextCell) -> str:
    text = escape(cell.text)
    if cell.emphasis:
        text = f"**{text}**" if cell.emphasis == "best" else f"<ins>{text}</ins>"
    raised = " ".join((*([escape(STAR)] if cell.star else []), *map(escape, cell.marks)))
    return f"{text}<sup>{raised}</sup>" if raised else text
