"""The parts of a page before its cases: tables under their headings, and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unseg_bench.errors import ScoreError
from unseg_bench.report.tables import score_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.report.text_table import TextTable


@dataclass(frozen=True, slots=True)
class Part:
    """Tables under one heading; `key` is its anchor, unlike that of any table."""

    key: str
    heading: str
    tables: tuple[TextTable, ...]


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """A figure as an `<svg>` element, which needs no escaping."""

    title: str
    caption: str
    svg: str


def leading_parts(comparison: Comparison) -> list[Part]:
    """Return the scores, and the statistics where they were computed."""
    return [Part("scores", "Scores", score_tables(comparison))]


def drawn_figures(
    comparison: Comparison, runs: Sequence[RunScores], data: Path | None = None
) -> tuple[list[DrawnFigure], list[tuple[str, str]]]:
    """Draw every kind of figure; what this comparison gives no figure for comes back as (title, reason)."""
    from markupsafe import Markup

    from unseg_bench.report.figures.kinds import FigureSettings
    from unseg_bench.report.figures.registry import FIGURES
    from unseg_bench.report.figures.svg import figure_svg

    drawn: list[DrawnFigure] = []
    undrawn: list[tuple[str, str]] = []
    for name, kind in FIGURES.items():
        caption = kind.caption(comparison)
        try:
            figure = kind.draw(comparison, FigureSettings(runs=runs, data=data))
        except ScoreError as reason:
            undrawn.append((kind.title, str(reason)))
            continue
        svg = figure_svg(figure, f"figure-{name}", kind.title, caption)
        drawn.append(DrawnFigure(kind.title, caption, Markup(svg)))  # noqa: S704 - made here, its texts are escaped
    return drawn, undrawn
