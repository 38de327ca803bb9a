"""The parts of a page before its cases: tables under their headings, claims, figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unseg_bench.compare.claims import claims
from unseg_bench.errors import ScoreError
from unseg_bench.report.notes import NO_EVIDENCE
from unseg_bench.report.page.confidence import HEADING, confidence_table, look_words
from unseg_bench.report.statistics_tables import statistics_tables
from unseg_bench.report.tables import score_tables
from unseg_bench.report.text_table import rank_legend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from unseg_bench.compare.claims import Claim
    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.report.figures.kinds import FigureSettings
    from unseg_bench.report.text_table import TextTable


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table with its number in the page and what stands below it."""

    number: int
    table: TextTable
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What stands under one heading; `key` is its anchor; `words`: paragraphs above the tables."""

    key: str
    heading: str
    tables: tuple[PageTable, ...] = ()
    claims: tuple[Claim, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """A figure as an `<svg>` element, which needs no escaping."""

    title: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """What a page shows beside its own comparison; `key`: a plain word that no other chapter has.

    runs: those behind it, for provenance. figures: drawn of it.
    """

    key: str
    heading: str
    words: tuple[str, ...] = ()
    tables: tuple[TextTable, ...] = ()
    figures: tuple[DrawnFigure, ...] = ()
    runs: tuple[RunScores, ...] = ()


def chapter_parts(chapters: Sequence[Chapter], start: int) -> list[Part]:
    """Return the chapters under their headings, tables numbered from `start`, each with an anchor of its own."""
    parts: list[Part] = []
    for chapter in chapters:
        tables = [replace(table, key=f"{chapter.key}-{table.key}") for table in chapter.tables]
        parts.append(Part(chapter.key, chapter.heading, numbered(tables, start), words=chapter.words))
        start += len(tables)
    return parts


def leading_parts(comparison: Comparison) -> list[Part]:
    """Return the scores, the statistics where they were computed, the claims that they allow, the cases to look at."""
    scores = numbered(score_tables(comparison), 1)
    parts = [Part("scores", "Scores", tables=scores)]
    if tests := numbered(statistics_tables(comparison), 1 + len(scores)):
        parts.append(Part("statistics", "Statistics", tables=tests))
    if found := claims(comparison):
        parts.append(Part("claims", "What can be claimed", claims=found))
    if comparison.confidences:
        start = 1 + sum(len(part.tables) for part in parts)
        stated = numbered([confidence_table(comparison)], start)
        parts.append(Part("confidence", HEADING, tables=stated, words=look_words(comparison)))
    return parts


def numbered(tables: Sequence[TextTable], start: int) -> tuple[PageTable, ...]:
    """Number the tables of a part; a note that stands below an earlier one of them is not repeated.

    That a phantom is no evidence is said once, at the top of the page.
    """
    said: dict[str, int] = {NO_EVIDENCE: 0}
    pages: list[PageTable] = []
    for number, table in enumerate(tables, start):
        legend = [rank_legend("bold", "underlined")] if table.ranked else []
        notes = [*table.warnings, *legend, *table.notes]
        above = sorted({said[note] for note in notes if said.get(note)})
        new = [note for note in notes if note not in said]
        see = [f"marks and rules also as below {_tables(above)}"] if above else []
        pages.append(PageTable(number, table, (*new, *see)))
        said |= dict.fromkeys(new, number)
    return tuple(pages)


def drawn_figures(
    comparison: Comparison, settings: FigureSettings, *, pictures: bool, tell: Callable[[str], None]
) -> list[DrawnFigure]:
    """Draw every kind of figure that this comparison gives; `tell` hears of the others and why.

    pictures: whether images of cases may be opened for them; else that is said too. Raises: DataError where it fails.
    """
    from unseg_bench.report.figures.registry import FIGURES

    if not pictures and settings.runs:
        tell("pictures of cases are left out, and so are figures that are made of them")
        settings = replace(settings, runs=[replace(run, folder=None) for run in settings.runs])
    drawn: list[DrawnFigure] = []
    for kind in (kind for one in FIGURES.values() for kind in one.each(comparison)):
        caption = kind.caption(comparison)
        try:
            figure = kind.draw(comparison, settings)
        except ScoreError as reason:
            if kind.usual:
                tell(f"figure left out: {reason}")
            continue
        drawn.append(_drawn(figure, f"figure-{kind.name}", kind.title, caption))
    return drawn


def drawn_sweep(comparison: Comparison, runs: Sequence[RunScores], option: str, key: str, title: str) -> DrawnFigure:
    """Draw DSC against an option for a chapter; `key` names its anchor. Raises: ScoreError where there is no curve."""
    from unseg_bench.report.figures.kinds import FigureSettings
    from unseg_bench.report.figures.sweep import KIND

    figure = KIND.draw(comparison, FigureSettings(runs=runs, over=option))
    return _drawn(figure, f"figure-{key}", title, KIND.caption(comparison))


def _drawn(figure: Figure, key: str, title: str, caption: str) -> DrawnFigure:
    from markupsafe import Markup

    from unseg_bench.report.figures.write import figure_svg

    return DrawnFigure(title, caption, Markup(figure_svg(figure, key, title, caption)))  # noqa: S704 - escaped there


def _tables(numbers: Sequence[int]) -> str:
    return f"Table{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
