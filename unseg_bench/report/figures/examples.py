"""Axial FLAIR slices with the reference's and each method's contour: a small, a medium and a large tumour.

Which cases and which slices stand for all is chosen by rule, not by taste.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from unseg_bench.compare.comparison import Comparison
from unseg_bench.errors import DataError, ScoreError
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.report.case_images import CaseImages, CasePicture
from unseg_bench.report.figures.example_panels import (
    HeadSlice,
    draw_head,
    draw_scale,
    head_slice,
    reference_and,
    write_on,
)
from unseg_bench.report.figures.kinds import FigureKind, FigureSettings
from unseg_bench.report.figures.names import FigureName
from unseg_bench.report.figures.style import (
    LINE_MM,
    MM_PER_INCH,
    SMALL,
    MethodStyle,
    add_footer,
    method_styles,
    size_mm,
    wrapped,
)

_GAP_MM, _SIDE_MM, _HEADING_MM = 1.0, 2.0, 4.5
_WIDEST_MM = 45.0
PLACES = (0.1, 0.5, 0.9)
"""Where in the order of tumour volumes: the middle cases of the lowest, the middle and the highest of five groups."""


@dataclass(frozen=True, slots=True, eq=False)
class _Example:
    """One case as shown: what stands above it, its slice, and the DSC of the whole case by label."""

    heading: str
    head: HeadSlice
    dsc: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Grid:
    """Panels in mm of paper: `across` in a row, `rows` rows a case, titles above the first `titled` cases."""

    across: int
    rows: int
    panel_mm: tuple[float, float]
    title_mm: float
    titled: int

    def row_mm(self, block: int) -> float:
        """Height of one row of panels of a case."""
        return self.panel_mm[1] + _GAP_MM + (self.title_mm if block < self.titled else 0.0)

    def block_mm(self, block: int) -> float:
        """Height of one case with its heading."""
        return _HEADING_MM + self.rows * self.row_mm(block)

    def top_mm(self, block: int) -> float:
        """Where a case begins."""
        return _GAP_MM + sum(map(self.block_mm, range(block)))


def caption(comparison: Comparison) -> str:
    """Return the caption."""
    return (
        f"Axial FLAIR slices of a small, a medium and a large tumour among the {comparison.part} cases (10th, 50th and "
        "90th percentile of volume), where the reference is largest. Red: reference; dashed: the method. DSC (%) is "
        "that of the whole case. R: the patient's right."
    )


def draw(comparison: Comparison, settings: FigureSettings) -> Figure:
    """Draw a panel a case and method. Raises: ScoreError for an unknown case or slice, or without the images."""
    if not any(run.folder for run in settings.runs):
        raise ScoreError("examples: no run here has its predictions in a folder")
    cases = chosen_cases(comparison, settings.case)
    try:
        images = CaseImages.of(settings.runs, settings.data)
        shown = [_example(comparison, images, settings, images.load(case)) for case in cases]
    except DataError as error:
        raise ScoreError(f"examples: {error}") from error
    labels = [label for label in comparison.labels if label in images.seeds]
    head_mm = (max(one.head.size_mm[0] for one in shown), max(one.head.size_mm[1] for one in shown))
    grid, titles = _grid(labels, settings, len(shown), head_mm)
    notes = (
        "red: reference, dashed: method, DSC in % of the whole case",
        f"{len(shown)} of n = {len(comparison.cases)} cases",
        *(
            f"{label}: seed {images.seeds[label]}"
            for label in labels
            if sum(run.label == label for run in settings.runs) > 1
        ),
    )
    height_mm = grid.top_mm(len(shown))
    figure = Figure(figsize=(settings.width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))
    add_footer(figure, comparison, *notes)
    for block, one in enumerate(shown):
        _draw_case(figure, grid, block, one, titles, head_mm, method_styles(comparison.labels))
    return figure


def _example(
    comparison: Comparison, images: CaseImages, settings: FigureSettings, picture: CasePicture
) -> _Example:  # fmt: skip
    """Take a case's slice, and the DSC of the very runs that it shows."""
    z = chosen_slice(picture, settings.slice_index)
    ml = volumes(comparison)[picture.case]
    dsc = {
        run.label: score.dsc
        for run in settings.runs
        for score in run.scores
        if score.case == picture.case and images.seeds.get(run.label) == run.seed
    }
    return _Example(f"{picture.case}: {ml:.3g} ml, slice {z + picture.start[2]}", head_slice(picture, z), dsc)


_Titles = Mapping[str | None, str]
"""What stands above a panel: by label, None for the panel of the reference alone; in the order of the panels."""


def _grid(
    labels: Sequence[str], settings: FigureSettings, cases: int, head_mm: tuple[float, float]
) -> tuple[_Grid, _Titles]:
    """Return where panels stand and what stands above them; rows of panels are as even as can be."""
    count = len(labels) + 1
    rows = -(-count // (4 if settings.narrow else 6))
    across = -(-count // rows)
    width = min((settings.width_mm - 2 * _SIDE_MM - (across - 1) * _GAP_MM) / across, _WIDEST_MM)
    titles: dict[str | None, str] = {None: "reference", **{label: wrapped(label, width) for label in labels}}
    title_mm = LINE_MM * max(len(title.splitlines()) for title in titles.values()) + 0.5
    panel_mm = (width, width * head_mm[1] / head_mm[0])
    return _Grid(across, rows, panel_mm, title_mm, 1 if rows == 1 else cases), titles


def _draw_case(
    figure: Figure,
    grid: _Grid,
    block: int,
    one: _Example,
    titles: _Titles,
    head_mm: tuple[float, float],
    styles: Mapping[str, MethodStyle],
) -> None:
    """Draw one case: its heading, then its panels from left to right and row by row."""
    width_mm, height_mm = size_mm(figure)
    top_mm = grid.top_mm(block)
    figure.text(_SIDE_MM / width_mm, 1 - top_mm / height_mm, one.heading, va="top", fontsize=SMALL, weight="bold")
    for panel, (label, title) in enumerate(titles.items()):
        row, column = divmod(panel, grid.across)
        left = _SIDE_MM + column * (grid.panel_mm[0] + _GAP_MM)
        bottom = height_mm - top_mm - _HEADING_MM - (row + 1) * grid.row_mm(block) + _GAP_MM
        sides = (left / width_mm, bottom / height_mm, grid.panel_mm[0] / width_mm, grid.panel_mm[1] / height_mm)
        axes = figure.add_axes(sides)
        draw_head(axes, one.head, head_mm)
        reference_and(axes, one.head, label, styles[label].colour if label else "")
        if label is None:
            draw_scale(axes)
        else:
            write_on(
                axes, f"DSC {100 * one.dsc[label]:.1f}" if label in one.dsc else "no prediction", 0.03, 0.06, "left"
            )
        if block < grid.titled:
            axes.set_title(title, fontsize=SMALL, pad=1.5)


def chosen_cases(comparison: Comparison, case: str | None) -> list[str]:
    """Return a small, a medium and a large tumour, or the named case. Raises: ScoreError for an unknown case.

    Cases without a tumour are passed over; with fewer than three cases each stands once.
    """
    if case is not None:
        if case not in comparison.cases:
            raise ScoreError(f"--case {case}: no such case here.{did_you_mean(case, comparison.cases)}")
        return [case]
    volumes_ml = volumes(comparison)
    in_order = sorted((case for case in volumes_ml if volumes_ml[case] > 0), key=lambda case: (volumes_ml[case], case))
    if not in_order:
        raise ScoreError("examples: no case has a tumour in the reference; name one with --case")
    return list(dict.fromkeys(in_order[round(place * (len(in_order) - 1))] for place in PLACES))


def volumes(comparison: Comparison) -> dict[str, float]:
    """Return the reference's tumour volume in ml by case."""
    return {entry.case: entry.tumour_ml for entry in comparison.entries if entry.tumour_ml is not None}


def chosen_slice(picture: CasePicture, slice_index: int | None) -> int:
    """Return the index along z in the picture: the reference's largest area, or the slice of the file that was named.

    Without a reference the largest area of all predictions counts, without those the middle of the head. Raises:
    ScoreError where the named slice is outside the head.
    """
    depth, first = picture.image.shape[2], picture.start[2]
    if slice_index is not None:
        if not first <= slice_index < first + depth:
            raise ScoreError(
                f"--slice {slice_index}: the head of case {picture.case} is in slices {first} to {first + depth - 1}"
            )
        return slice_index - first
    for masks in ([picture.reference], list(picture.predictions.values())):
        if (area := _area(masks, depth)).any():
            return int(area.argmax())
    return depth // 2


def _area(masks: Sequence[np.ndarray], depth: int) -> np.ndarray:
    """Voxels per axial slice in any of the masks."""
    area = np.zeros(depth, dtype=np.int64)
    for mask in masks:
        area += mask.sum(axis=(0, 1))
    return area


KIND = FigureKind(FigureName.EXAMPLES, "Examples: a small, a medium and a large tumour", caption, draw)
