"""Puts the page together and writes it as one file."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unseg_bench.data.atomic import write_text
from unseg_bench.data.visible import visible
from unseg_bench.errors import DataError
from unseg_bench.report.notes import NO_EVIDENCE, warnings
from unseg_bench.report.page.case_table import MEAN_COLUMN, case_scores, case_table
from unseg_bench.report.page.parts import chapter_parts, drawn_figures, leading_parts, numbered
from unseg_bench.report.page.pictures import QUALITY, SLICE_MM, encode_case
from unseg_bench.report.page.provenance import provenance
from unseg_bench.report.tables import main_table
from unseg_bench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jinja2 import Environment

    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.data.files import Progress
    from unseg_bench.plugins.metric import Metric
    from unseg_bench.report.case_images import CaseImages
    from unseg_bench.report.page.parts import Chapter

TEMPLATES = Path(__file__).parent / "templates"
WORKERS = 2
"""Threads that read and encode cases; unpacking and encoding release the interpreter lock."""


@dataclass(frozen=True, slots=True)
class PageSettings:
    """What can be chosen: title (None: data and counts), WebP quality of the pictures (1-100), and `data`.

    data: where the runs' data folder is now, if it has moved.
    """

    title: str | None = None
    quality: int = QUALITY
    data: Path | None = None


def write_page(
    comparison: Comparison,
    path: Path,
    *,
    browser: CaseImages | None = None,
    runs: Sequence[RunScores] = (),
    chapters: Sequence[Chapter] = (),
    settings: PageSettings | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Write the page to `path`, whole or not at all; it asks for nothing from anywhere.

    browser: gives the pictures of the cases; None leaves them out. runs: the scores behind the comparison, for figures
    and provenance. chapters: further tables and figures, after the comparison's own. progress: called as (done, total,
    case) while pictures are made. tell: hears which figures this comparison does not give, and why. Raises: DataError
    where `browser` cannot open a case or `path` is a folder.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; name the file that the page goes to, such as {path / 'report.html'}")
    chosen = settings or PageSettings()
    pictures = [] if browser is None else _pictures(comparison, browser, chosen.quality, progress)
    write_text(path, _html(comparison, pictures, browser, runs, chapters, chosen, tell))


def _pictures(
    comparison: Comparison, browser: CaseImages, quality: int, progress: Progress | None
) -> list[dict[str, Any]]:
    """Encode every case, with the words below its panels."""
    scores = case_scores(comparison)

    def encode(case: str) -> dict[str, Any]:
        encoded = encode_case(browser.load(case), quality)
        return {**encoded, "scores": scores[case], "labels": comparison.labels}

    pictures: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="picture") as pool:
        try:
            for picture in pool.map(encode, comparison.cases):
                pictures.append(picture)
                if progress is not None:
                    progress(len(pictures), len(comparison.cases), str(picture["case"]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return pictures


def _html(
    comparison: Comparison,
    pictures: Sequence[dict[str, Any]],
    browser: CaseImages | None,
    runs: Sequence[RunScores],
    chapters: Sequence[Chapter],
    settings: PageSettings,
    tell: Callable[[str], None],
) -> str:
    from markupsafe import Markup

    from unseg_bench.report.figures.kinds import FigureSettings

    script, style = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    parts = leading_parts(comparison)
    parts += chapter_parts(chapters, 1 + sum(len(part.tables) for part in parts))
    cases = numbered([case_table(comparison)], 1 + sum(len(part.tables) for part in parts))
    drawing = FigureSettings(runs=runs, data=settings.data)
    template = environment().get_template("page.html.j2")
    return template.render(
        title=settings.title or f"{comparison.dataset}, {comparison.part}: {_counts(comparison)}",
        lead=_lead(comparison),
        version=__version__,
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        warning="" if comparison.evidence else NO_EVIDENCE,
        parts=parts,
        figures=[
            *drawn_figures(comparison, drawing, pictures=browser is not None, tell=tell),
            *(figure for chapter in chapters for figure in chapter.figures),
        ],
        case_table=cases[0],
        worst_first_column=MEAN_COLUMN,
        openable={picture["case"] for picture in pictures},
        pictures=pictures,
        picture_words=_picture_words(browser, comparison),
        records=[provenance(run) for run in _each_once([*runs, *(run for one in chapters for run in one.runs)])],
    )


def _each_once(runs: Sequence[RunScores]) -> list[RunScores]:
    """Return the runs without those that stand in an earlier table too."""
    found: dict[object, RunScores] = {}
    for run in runs:
        found.setdefault(run.folder or (run.label, run.seed), run)
    return list(found.values())


def environment() -> Environment:
    """Return jinja2 with escaping on, whatever a file is called, and an error for a name that is not there.

    Control characters in text are written out; what is HTML already, of our own making, stays as it is.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return visible(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _counts(comparison: Comparison) -> str:
    methods, cases = len(comparison.rows), len(comparison.cases)
    return f"{methods} method{'s' * (methods != 1)} on {cases} case{'s' * (cases != 1)}"


def _lead(comparison: Comparison) -> str:
    """Return what the page shows and when it was made."""
    seeds = sum(len(row.seeds) for row in comparison.rows)
    made = f"Made on {datetime.now(UTC):%d %B %Y} by unseg-bench {__version__}"
    return (
        f"{_counts(comparison).capitalize()} of the data set {comparison.dataset} (split {comparison.split}, part "
        f"{comparison.part}), {seeds} run{'s' * (seeds != 1)} in all. Each predicted whole tumour is scored against "
        f"its reference mask by {_by_metrics(comparison.metrics)}. {made}; every number is in this one file, which "
        "loads nothing."
    )


def _by_metrics(metrics: Sequence[Metric]) -> str:
    """Return 'the Dice similarity coefficient (DSC, %) and the 95th percentile of ... (HD95, mm)'."""
    *firsts, last = [f"{one.about} ({', '.join(filter(None, (one.title, one.unit)))})" for one in metrics]
    return f"{', '.join(firsts)} and {last}"


def _picture_words(browser: CaseImages | None, comparison: Comparison) -> str:
    """Return how the pictures are to be read, and which seed they show of a method that has several."""
    if browser is None:
        return ""
    several = [row for row in comparison.rows if len(row.seeds) > 1 and row.label in browser.seeds]
    seeds = ", ".join(f"{row.label}: seed {browser.seeds[row.label]}" for row in several)
    absent = [label for label in comparison.labels if label not in browser.seeds]
    return " ".join(
        [
            "The patient's left is on the right of the picture; front is at the top.",
            f"Slices are about {SLICE_MM:g} mm apart, or as far as those of the file; z counts the file's slices "
            "from the lowest, which is 0. Arrow keys move through them.",
            *([f"Scores are means over seeds, contours are of one: {seeds}."] if seeds else []),
            *([f"No predictions at hand: {', '.join(absent)}."] if absent else []),
        ]
    )


def table_html(comparison: Comparison) -> str:
    """Return the overall table with its notes, its warnings first."""
    (table,) = numbered([main_table(comparison)], 1)
    template = environment().get_template("fragment.html.j2")
    return template.render(table=table, warnings=warnings(comparison))
