"""One panel of the examples: a FLAIR slice with contours, DSC, orientation and scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from unseg_bench.data.volume import Mask
from unseg_bench.report.case_images import CasePicture
from unseg_bench.report.figures.style import REFERENCE, SMALL

SCALE_BAR_MM = 20.0
"""Length of the scale bar, in mm of the head."""
DASHES = (0, (2.2, 0.8))
"""Line of a method's contour; the reference's is solid."""
_MARGIN_MM = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class HeadSlice:
    """One axial slice cropped to the head, arrays (X, Y), x to the patient's left, y to the back."""

    grey: NDArray[np.uint8]
    spacing_mm: tuple[float, float]
    reference: Mask
    predictions: Mapping[str, Mask]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the head's box."""
        return self.grey.shape[0] * self.spacing_mm[0], self.grey.shape[1] * self.spacing_mm[1]


def head_slice(picture: CasePicture, z: int) -> HeadSlice:
    """Cut slice `z` (index in the picture) out of a case, cropped to what is not background or mask there."""
    grey, reference = picture.grey()[:, :, z], picture.reference[:, :, z]
    predictions = {label: mask[:, :, z] for label, mask in picture.predictions.items()}
    spacing_mm = (picture.spacing_mm[0], picture.spacing_mm[1])
    something = grey > 0
    for mask in (reference, *predictions.values()):
        something = something | mask
    margins = [round(_MARGIN_MM / mm) for mm in spacing_mm]
    box = (_bounds(something, 0, margins[0]), _bounds(something, 1, margins[1]))
    return HeadSlice(grey[box], spacing_mm, reference[box], {label: mask[box] for label, mask in predictions.items()})


def draw_head(axes: Axes, head: HeadSlice, box_mm: tuple[float, float]) -> None:
    """Draw the FLAIR slice in mm as a radiologist sees it, in the middle of a box of the head's space."""
    width, height = head.size_mm
    axes.imshow(head.grey.T, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0), interpolation="none")
    axes.set_xlim((width - box_mm[0]) / 2, (width + box_mm[0]) / 2)
    axes.set_ylim((height + box_mm[1]) / 2, (height - box_mm[1]) / 2)
    axes.set_facecolor("black")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def draw_contour(axes: Axes, head: HeadSlice, mask: Mask, colour: str, line: Any = "-") -> None:  # noqa: ANN401
    """Draw a mask's outline with a halo that sets it off from grey; an empty mask has none."""
    if not mask.any():
        return
    x, y = ((np.arange(-1, n + 1) + 0.5) * mm for n, mm in zip(mask.shape, head.spacing_mm, strict=True))
    halo = "white" if _luminance(colour) < 0.2 else "black"
    lines = axes.contour(x, y, np.pad(mask, 1).T.astype(float), levels=[0.5], colors=[colour], linewidths=0.9)
    lines.set_linestyle(line)
    lines.set_path_effects([withStroke(linewidth=1.7, foreground=halo, alpha=0.55)])


def write_on(axes: Axes, text: str, x: float, y: float, align: str) -> None:
    """Write white text with a black rim at a place of the panel (0-1)."""
    rim = [withStroke(linewidth=1.2, foreground="black")]
    place = axes.transAxes
    axes.text(x, y, text, transform=place, color="white", fontsize=SMALL, ha=align, va="center", path_effects=rim)


def draw_scale(axes: Axes) -> None:
    """Draw the scale bar with its length at the lower left, and R and L in the upper corners."""
    left, bottom = axes.get_xlim()[0] + 4, axes.get_ylim()[0] - 4
    axes.plot([left, left + SCALE_BAR_MM], [bottom, bottom], color="white", linewidth=1.5, gid="scale-bar")
    write_on(axes, f"{SCALE_BAR_MM:.0f} mm", 0.03, 0.10, "left")
    write_on(axes, "R", 0.03, 0.95, "left")
    write_on(axes, "L", 0.97, 0.95, "right")


def reference_and(axes: Axes, head: HeadSlice, label: str | None, colour: str) -> None:
    """Draw the reference's contour and, with a label, that method's over it."""
    draw_contour(axes, head, head.reference, REFERENCE)
    if label is not None and label in head.predictions:
        draw_contour(axes, head, head.predictions[label], colour, DASHES)


def _bounds(something: Mask, axis: int, margin: int) -> slice:
    """The stretch of an axis (0 or 1) that holds anything, with a margin; all of it where nothing is."""
    count = something.shape[axis]
    places = np.flatnonzero(something.sum(axis=1 - axis))
    if not places.size:
        return slice(0, count)
    return slice(max(0, int(places[0]) - margin), min(count, int(places[-1]) + 1 + margin))


def _luminance(colour: str) -> float:
    """Relative luminance 0-1 (WCAG 2, with the plain gamma of 2.2)."""
    red, green, blue = (part**2.2 for part in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
