r"""A comparison as LaTeX tables for \input: booktabs, a table environment each, notes below."""

import re
from collections.abc import Iterable

from unseg_bench.compare.claims import claims
from unseg_bench.compare.comparison import Comparison
from unseg_bench.data.visible import visible
from unseg_bench.report.notes import CLAIMS_TITLE, STAR, comparison_title
from unseg_bench.report.statistics_tables import statistics_tables
from unseg_bench.report.tables import group_table, main_table, score_tables
from unseg_bench.report.text_table import TextCell, TextSection, TextTable, rank_legend

_HEAD = r"""% {title}
% Needs: \usepackage[T1]{{fontenc}} \usepackage{{booktabs}} \usepackage{{adjustbox}}
% Use: \input{{this file}}; labels are tab:KEY, one above each table.
"""
_ESCAPES = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "*": "{*}",
    "`": "{`}",
    "±": r"$\pm$",
    "–": "--",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "[": "{[}",
    "]": "{]}",
}
_HYPHENS = re.compile("-(?=-)")
_MINUS = re.compile(r"(?<![\w.)-])-(?=\.?\d)")


def latex(comparison: Comparison) -> str:
    """Return all tables, the statistics' too, and as comments the sentences that they carry.

    Scores stand in narrow tables (all cases, then each metric by group), so that they fit a page.
    """
    wide, *others = score_tables(comparison)
    narrow = [main_table(comparison)]
    if len(wide.columns) > len(narrow[0].columns):
        narrow.append(group_table(comparison, comparison.metrics[0]))
    where = comparison_title(comparison)
    parts = [_HEAD.format(title=_comment(where))]
    parts += [_table(table, where) for table in (*narrow, *others, *statistics_tables(comparison))]
    if comparison.statistics is not None:
        said = (f"{CLAIMS_TITLE}:", *(claim.text for claim in claims(comparison)))
        parts.append("".join(f"% {_comment(line)}\n" for line in said))
    return "\n".join(parts)


def escape(text: str) -> str:
    """Return text that LaTeX sets as it is; a hyphen before a number is a minus, and two hyphens are no dash."""
    plain = "".join(_ESCAPES.get(sign, sign) for sign in _comment(text))
    return _HYPHENS.sub("-{}", _MINUS.sub("$-$", plain))


def _table(table: TextTable, where: str) -> str:
    """One table environment: caption, label, tabular no wider than the text, notes."""
    caption = table.title if table.title == where else f"{table.title} ({where})"
    layout = "".join(_alignments(table))
    depth = max(len(column.heading) for column in table.columns)
    raised = [("",) * (depth - len(column.heading)) + column.heading for column in table.columns]
    heading = [_line(escape(own[i]) for own in raised) for i in range(depth)]
    notes = [
        *([rank_legend("bold", "underlined")] if table.ranked else []),
        *table.notes,
    ]
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{tab:{table.key}}}",
        r"\begin{adjustbox}{max width=\textwidth}",
        r"\small",
        rf"\begin{{tabular}}{{@{{}}{layout}@{{}}}}",
        r"\toprule",
        *heading,
        *(line for section in table.sections for line in (r"\midrule", *_section(section, table))),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{adjustbox}",
        r"\par\smallskip",
        r"\begin{minipage}{\textwidth}\footnotesize\raggedright",
        *(f"{escape(note)}.\\\\" for note in notes),
        *(rf"\textbf{{{escape(warning)}.}}\\" for warning in table.warnings),
        r"\end{minipage}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines)


def _alignments(table: TextTable) -> list[str]:
    """Words and means with a spread to the left (the spread's sign aligns them), other numbers to the right."""
    columns = zip(table.columns, zip(*table.rows, strict=True), strict=True)
    return ["r" if column.number and not any("±" in cell.text for cell in cells) else "l" for column, cells in columns]


def _section(section: TextSection, table: TextTable) -> list[str]:
    columns = len(table.columns)
    title = (
        [rf"\multicolumn{{{columns}}}{{@{{}}l@{{}}}}{{\emph{{{escape(section.title)}}}}} \\"] if section.title else []
    )
    widths = [max(map(_before_sign, cells)) for cells in zip(*table.rows, strict=True)]
    return [
        *title,
        *(_line(_cell(cell, width) for cell, width in zip(row, widths, strict=True)) for row in section.rows),
    ]


def _before_sign(cell: TextCell) -> int:
    """Digits and point before '±', 0 where there is none."""
    before, sign, _ = cell.text.partition("±")
    return len(before) if sign else 0


def _line(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(cell: TextCell, width: int) -> str:
    """A cell's text; `width`: of the column before '±', filled with the space of digits."""
    text = escape(cell.text)
    room = r"\phantom{0}" * (width - _before_sign(cell)) if _before_sign(cell) else ""
    if cell.emphasis:
        text = rf"\textbf{{{text}}}" if cell.emphasis == "best" else rf"\underline{{{text}}}"
    raised = " ".join((*([STAR] if cell.star else []), *cell.marks))
    return room + (rf"{text}\textsuperscript{{{escape(raised)}}}" if raised else text)


def _comment(text: str) -> str:
    return visible(" ".join(text.split()))
