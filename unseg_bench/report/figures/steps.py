"""One step of a method on one axial slice: the image, its heat map beside it; masks, boxes and points over both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from unseg_bench.data.volume import Mask
from unseg_bench.plugins.explain import Box, Point
from unseg_bench.report.figures.example_panels import SCALE_BAR_MM, HeadSlice, draw_contour, draw_head, write_on
from unseg_bench.report.figures.style import (
    COLOURS,
    EDGE,
    LINE_MM,
    MM_PER_INCH,
    NORMAL,
    POINTS_PER_MM,
    SMALL,
    house_style,
    wrapped,
)

HEAT_MAP = "viridis"
"""Perceptually uniform, and as steady in grey."""
_PANEL_MM, _GAP_MM, _SIDE_MM, _BAR_MM, _TICKS_MM, _MARGIN_MM = 80.0, 2.0, 2.0, 3.0, 8.0, 4.0
_TITLE_LINE_MM, _LEGEND_MM = 3.8, 5.0
_NAMES_A_PANEL = 2
"""So many names of the legend fit below one panel, one beside the other."""
_MASK, _BOX = COLOURS[5], COLOURS[4]
_POINTS = {True: ("o", COLOURS[7], "foreground point"), False: ("X", "white", "background point")}
"""Whether foreground -> marker, colour, name: told apart by shape too."""


@dataclass(frozen=True, slots=True, eq=False)
class SlicedStep:
    """What one picture shows, arrays (X, Y) on the grid of `head`; `footer`: case, slice and method."""

    title: str
    head: HeadSlice
    footer: str
    heat: NDArray[np.floating] | None = None
    mask: Mask | None = None
    boxes: Sequence[Box] = ()
    points: Sequence[Point] = ()
    note: str = ""


def draw_step(step: SlicedStep) -> Figure:
    """Draw the picture, in mm of the head, as a radiologist sees it."""
    with house_style():
        width_mm, _ = step.head.size_mm
        box_mm = (width_mm + 2 * _MARGIN_MM, step.head.size_mm[1] + 2 * _MARGIN_MM)
        panels = 1 if step.heat is None else 2
        paper_mm = 2 * _SIDE_MM + panels * _PANEL_MM + (0 if panels == 1 else _GAP_MM + _BAR_MM + _TICKS_MM)
        texts = _Texts(step, paper_mm - 2 * _SIDE_MM)
        panel_mm = _PANEL_MM * box_mm[1] / box_mm[0]
        figure = Figure(figsize=(paper_mm / MM_PER_INCH, (panel_mm + texts.above_mm + texts.below_mm) / MM_PER_INCH))
        sheet = _Sheet(figure, paper_mm, panel_mm + texts.above_mm + texts.below_mm)
        image = sheet.axes(_SIDE_MM, texts.below_mm, _PANEL_MM, panel_mm)
        draw_head(image, step.head, box_mm)
        _draw_scale(image, box_mm)
        _draw_marks(image, step)
        if step.heat is not None:
            _draw_heat(sheet, step, box_mm, panel_mm, texts.below_mm)
        texts.write(sheet)
    return figure


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A figure whose places are given in mm from its lower left corner."""

    figure: Figure
    width_mm: float
    height_mm: float

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Add axes."""
        sides = (left / self.width_mm, bottom / self.height_mm, width / self.width_mm, height / self.height_mm)
        return self.figure.add_axes(sides)

    def text(self, text: str, bottom_mm: float, **how: Any) -> None:  # noqa: ANN401 - matplotlib's text properties
        """Write text at the left side."""
        self.figure.text(_SIDE_MM / self.width_mm, bottom_mm / self.height_mm, text, color=EDGE, va="bottom", **how)


class _Texts:
    """Title above; legend, note and footer below, each as high as its lines need."""

    def __init__(self, step: SlicedStep, width_mm: float) -> None:
        self._title = wrapped(step.title, width_mm, NORMAL + 1)
        self._lines = [wrapped(text, width_mm) for text in (step.footer, step.note) if text]
        self._handles = _legend(step)
        self._columns = _NAMES_A_PANEL if step.heat is None else 2 * _NAMES_A_PANEL
        self.above_mm = _TITLE_LINE_MM * len(self._title.splitlines()) + 1.5
        self._legend_bottom_mm = 1 + LINE_MM * sum(len(text.splitlines()) for text in self._lines)
        legend_mm = _LEGEND_MM * -(-len(self._handles) // self._columns)
        self.below_mm = self._legend_bottom_mm + (legend_mm or 1.0)

    def write(self, sheet: _Sheet) -> None:
        """Put all of it on the sheet."""
        sheet.text(self._title, sheet.height_mm - self.above_mm + 0.8, fontsize=NORMAL, weight="bold")
        bottom_mm = 1.0
        for text in self._lines:
            sheet.text(text, bottom_mm, fontsize=SMALL)
            bottom_mm += LINE_MM * len(text.splitlines())
        if self._handles:
            place = (_SIDE_MM / sheet.width_mm, self._legend_bottom_mm / sheet.height_mm)
            sheet.figure.legend(
                handles=self._handles,
                loc="lower left",
                bbox_to_anchor=place,
                ncols=self._columns,
                frameon=False,
                borderpad=0.2,
                borderaxespad=0,
                columnspacing=1.2,
                handletextpad=0.5,
            )


def _draw_scale(axes: Axes, box_mm: tuple[float, float]) -> None:
    """Draw the scale bar with its length at the lower left, and R and L in the upper corners."""
    text_mm = LINE_MM * box_mm[0] / _PANEL_MM
    left, bottom = axes.get_xlim()[0] + _MARGIN_MM, axes.get_ylim()[0] - _MARGIN_MM
    axes.plot([left, left + SCALE_BAR_MM], [bottom, bottom], color="white", linewidth=1.5)
    write_on(axes, f"{SCALE_BAR_MM:.0f} mm", _MARGIN_MM / box_mm[0], (_MARGIN_MM + 0.8 * text_mm) / box_mm[1], "left")
    for letter, x, align in (("R", 0.03, "left"), ("L", 0.97, "right")):
        write_on(axes, letter, x, 1 - 1.2 * text_mm / box_mm[1], align)


def _draw_heat(sheet: _Sheet, step: SlicedStep, box_mm: tuple[float, float], panel_mm: float, below_mm: float) -> None:
    """Draw the heat map at the right of the image, with the same marks and a scale from 0 to 1."""
    left = _SIDE_MM + _PANEL_MM + _GAP_MM
    axes = sheet.axes(left, below_mm, _PANEL_MM, panel_mm)
    draw_head(axes, step.head, box_mm)
    width, height = step.head.size_mm
    assert step.heat is not None  # noqa: S101 - asked by the caller
    drawn = axes.imshow(
        np.asarray(step.heat, dtype=np.float64).T,
        cmap=HEAT_MAP,
        norm=Normalize(0, 1),
        extent=(0, width, height, 0),
        interpolation="none",
    )
    axes.set_xlim((width - box_mm[0]) / 2, (width + box_mm[0]) / 2)
    axes.set_ylim((height + box_mm[1]) / 2, (height - box_mm[1]) / 2)
    _draw_marks(axes, step)
    bar = sheet.axes(left + _PANEL_MM + 1, below_mm + panel_mm / 4, _BAR_MM, panel_mm / 2)
    sheet.figure.colorbar(drawn, cax=bar, ticks=[0, 0.5, 1])


def _draw_marks(axes: Axes, step: SlicedStep) -> None:
    """Draw the mask's outline, boxes and points; a pixel's box has both of its corners inside."""
    if step.mask is not None:
        draw_contour(axes, step.head, step.mask, _MASK)
    x_mm, y_mm = step.head.spacing_mm
    rim = [withStroke(linewidth=2.2, foreground="black", alpha=0.6)]
    for x0, y0, x1, y1 in step.boxes:
        corner, width, height = (x0 * x_mm, y0 * y_mm), (x1 - x0 + 1) * x_mm, (y1 - y0 + 1) * y_mm
        axes.add_patch(
            Rectangle(
                corner, width, height, fill=False, edgecolor=_BOX, linewidth=1.1, linestyle="--", path_effects=rim
            )
        )
    for x, y, foreground in step.points:
        marker, colour, _ = _POINTS[bool(foreground)]
        axes.plot([(x + 0.5) * x_mm], [(y + 0.5) * y_mm], **_point(marker, colour))


def _legend(step: SlicedStep) -> list[Line2D]:
    """Name what the picture shows; nothing where there is but the image."""
    handles: list[Line2D] = []
    if step.mask is not None and step.mask.any():
        handles.append(Line2D([], [], color=_MASK, linewidth=1.2, label="mask"))
    if step.boxes:
        handles.append(Line2D([], [], color=_BOX, linewidth=1.2, linestyle="--", label="box"))
    for kind in sorted({bool(foreground) for _, _, foreground in step.points}, reverse=True):
        marker, colour, name = _POINTS[kind]
        handles.append(Line2D([], [], label=name, **_point(marker, colour)))
    return handles


def _point(marker: str, colour: str) -> dict[str, Any]:
    size = 1.7 * POINTS_PER_MM
    return {
        "marker": marker,
        "linestyle": "none",
        "markersize": size,
        "markerfacecolor": colour,
        "markeredgecolor": "black",
        "markeredgewidth": 0.7,
    }
