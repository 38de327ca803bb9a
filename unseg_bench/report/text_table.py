"""A table as words and marks, the same for every export: an export only sets it, nothing in it is computed again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Emphasis = Literal["", "best", "second"]


@dataclass(frozen=True, slots=True)
class TextCell:
    """A cell's text, how it stands out, and what follows it: a star, then small marks ('2e', '†').

    A mark is set small and raised where that is possible; the table's notes say what it means.
    """

    text: str
    emphasis: Emphasis = ""
    star: bool = False
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column's heading in lines, from above; number: set with the points (or the ends) below each other."""

    heading: tuple[str, ...]
    number: bool = True


@dataclass(frozen=True, slots=True)
class TextSection:
    """Rows below one rule, under a title ('' for none). Every row has a cell for every column."""

    rows: tuple[tuple[TextCell, ...], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class TextTable:
    """One table. `key` is a plain word for anchors and labels; no two tables of a comparison share one.

    lead: so many first columns name the row, and are repeated where a table must be split. ranked: cells are
    emphasised, so the export must say how best and second best look (`rank_legend`). warnings: the notes that a reader
    must not miss.
    """

    key: str
    title: str
    columns: tuple[TextColumn, ...]
    sections: tuple[TextSection, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    lead: int = 1
    ranked: bool = False

    @property
    def rows(self) -> tuple[tuple[TextCell, ...], ...]:
        """The rows of all sections."""
        return tuple(row for section in self.sections for row in section.rows)


def rank_legend(best: str, second: str) -> str:
    """Return the note that says how the best and the second best of a column look, such as 'bold', 'underlined'."""
    return f"{best}: best of the column; {second}: second best"


def text_row(*texts: str | TextCell) -> tuple[TextCell, ...]:
    """Return cells; a plain text is a cell without marks."""
    return tuple(TextCell(text) if isinstance(text, str) else text for text in texts)


def plain_columns(*headings: str, words: Sequence[str] = ()) -> tuple[TextColumn, ...]:
    """Return columns with headings of one line or more, a line break between; those named in `words` hold words."""
    return tuple(TextColumn(tuple(heading.split("\n")), heading not in words) for heading in headings)
