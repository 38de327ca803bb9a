"""A reproduced recipe as a folder: one page with all of it, each part's table as files, and the figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.inputs import RunScores
from unseg_bench.data.files import Progress
from unseg_bench.errors import DataError, ScoreError
from unseg_bench.plugins.recipes import Part, Recipe, StudyPart, SweepPart
from unseg_bench.report.case_images import CaseImages
from unseg_bench.report.exports import write
from unseg_bench.report.page.parts import Chapter, DrawnFigure, drawn_sweep
from unseg_bench.report.page.write import PageSettings, write_page
from unseg_bench.report.tables import difference_table, main_table
from unseg_bench.report.text_table import TextSection, TextTable, plain_columns, text_row

TABLES = (".md", ".tex", ".csv", ".json")
"""The forms that every part's table is written in."""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a recipe as it came out. comparison: None where no row has scores.

    labels: of all rows that were planned. left_out: method, row or part -> why it has no scores in the table. as_it_is:
    method without the preset that was asked for -> what is said of that.
    """

    part: Part
    labels: Sequence[str]
    left_out: Mapping[str, str]
    as_it_is: Mapping[str, str]
    runs: Sequence[RunScores]
    comparison: Comparison | None

    @property
    def shown(self) -> str:
        """How many rows have scores: '5 of 8', 'none' where none could be planned."""
        rows = 0 if self.comparison is None else len(self.comparison.measured)
        return f"{rows} of {len(self.labels)}" if self.labels else "none"


def write_reproduction(
    recipe: Recipe,
    sections: Sequence[Section],
    folder: Path,
    *,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write report.html, each part's table (TABLES) and the figures (SVG, PDF); return the files, the page first.

    tell: hears what is left out, and why. Raises: ScoreError where no part has scores, DataError where the folder
    cannot be written.
    """
    shown = [section for section in sections if section.comparison is not None]
    if not shown:
        raise ScoreError(f"{recipe.title}: no run has scores, so there is nothing to show")
    first, comparison = shown[0], _known(shown[0])
    page = folder / "report.html"
    write_page(
        comparison,
        page,
        browser=_browser(first, tell),
        runs=first.runs,
        chapters=[_overview(sections), *(_chapter(section, tell) for section in shown[1:])],
        settings=PageSettings(title=f"{recipe.title}: {comparison.dataset}, {comparison.part}"),
        progress=progress,
        tell=tell,
    )
    return [page, *_write_tables(shown, folder), *_write_figures(shown, folder / "figures")]


def _known(section: Section) -> Comparison:
    assert section.comparison is not None  # noqa: S101 - only such sections are shown
    return section.comparison


def _browser(section: Section, tell: Callable[[str], None]) -> CaseImages | None:
    try:
        return CaseImages.of(section.runs)
    except DataError as error:
        tell(f"pictures of cases are left out: {error}")
        return None


def _overview(sections: Sequence[Section]) -> Chapter:
    """What was asked for and what came of it, a row a part."""
    rows = tuple(
        text_row(section.part.title, section.shown, _told(section.left_out), _told(section.as_it_is))
        for section in sections
    )
    headings = ("part", "rows", "left out", "as it is")
    table = TextTable(
        key="parts",
        title="Parts, how many of their planned rows have scores, what is left out, and what lacks the preset",
        columns=plain_columns(*headings, words=headings),
        sections=(TextSection(rows),),
    )
    return Chapter("reproduction", "What is reproduced", tables=(table,))


def _told(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in reasons.items()) or "nothing"


def _chapter(section: Section, tell: Callable[[str], None]) -> Chapter:
    comparison, part = _known(section), section.part
    tables = [main_table(comparison)]
    figures: list[DrawnFigure] = []
    if isinstance(part, StudyPart) and len(comparison.measured) > 1:
        tables.append(difference_table(comparison, comparison.measured[-1]))
    if isinstance(part, SweepPart):
        try:
            figures.append(drawn_sweep(comparison, section.runs, part.option, part.key, part.title))
        except ScoreError as reason:
            tell(f"{part.title}: not drawn: {reason}")
    return Chapter(part.key, part.title, (), tuple(tables), tuple(figures), tuple(section.runs))


def _write_tables(shown: Sequence[Section], folder: Path) -> list[Path]:
    paths: list[Path] = []
    for section in shown:
        for suffix in TABLES:
            paths.append(folder / f"{section.part.key}{suffix}")
            write(_known(section), paths[-1])
    return paths


def _write_figures(shown: Sequence[Section], folder: Path) -> list[Path]:
    """Write all figures of the first section, and the curves of the sweeps by their keys."""
    from unseg_bench.report.figures.kinds import FigureSettings
    from unseg_bench.report.figures.sweep import KIND
    from unseg_bench.report.figures.write import write_figure, write_figures

    first = shown[0]
    written = write_figures(_known(first), FigureSettings(runs=first.runs), folder)
    paths = [path for _, files in written.figures for path in files]
    for section in shown[1:]:
        part, comparison = section.part, _known(section)
        if not isinstance(part, SweepPart) or len(comparison.measured) < 2:
            continue
        figure = KIND.draw(comparison, FigureSettings(runs=section.runs, over=part.option))
        for suffix in ("svg", "pdf"):
            paths.append(folder / f"{part.key}.{suffix}")
            write_figure(figure, paths[-1])
    return paths
