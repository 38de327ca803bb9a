"""Prompts for SAM from a region of a slice: a box and points, in pixels (x, y) of the picture."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1): the first and last column and row, both inside the box."""

PromptKind: TypeAlias = Literal["points", "box", "both"]

PointRule: TypeAlias = Literal["paper", "authors-code"]

FOREGROUND, BACKGROUND = 1, 0


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """One prompt: a box, points, or both.

    `box`: None for points alone. `points`: (P, 2) float32, a row is (x, y); (0, 2) for a box alone. `labels`: (P,)
    int64, 1 = foreground, 0 = background. Raises ValueError for a prompt that says nothing, and for other shapes.
    """

    box: Box | None
    points: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 2 or self.labels.shape != self.points.shape[:1]:
            raise ValueError(
                f"points (P, 2) and labels (P,) go together: got {self.points.shape} and {self.labels.shape}"
            )
        if self.box is None and not len(self.points):
            raise ValueError("a prompt is needed: points with labels, a box, or both")


def box_prompt(box: Box) -> Prompt:
    """The box alone."""
    return Prompt(box, np.zeros((0, 2), dtype=np.float32), np.zeros(0, dtype=np.int64))


def bounding_box(region: NDArray[np.bool_]) -> Box:
    """Tight box around a picture's region (Y, X); raises ValueError for an empty region."""
    if not region.any():
        raise ValueError("an empty region has no bounding box")
    rows = np.flatnonzero(region.any(axis=1))
    columns = np.flatnonzero(region.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def dilate_box(box: Box, by_px: int, shape: tuple[int, int]) -> Box:
    """Move each side out by `by_px` pixels, not beyond a picture of `shape` (rows, columns)."""
    rows, columns = shape
    x0, y0, x1, y1 = box
    return max(x0 - by_px, 0), max(y0 - by_px, 0), min(x1 + by_px, columns - 1), min(y1 + by_px, rows - 1)


def prompt_of(
    region: NDArray[np.bool_], picture: NDArray[Any], *, kind: PromptKind, points: PointRule, dilation_px: int
) -> Prompt:
    """The prompt of a region: the 'box' around it, its 'points', or 'both'.

    `region`: (Y, X) bool, not empty; `picture`: (Y, X), the slice from 0 where it is darkest, not equalised. The box
    is moved out by `dilation_px` pixels each side. The points are foreground, by the rule `points`, and the box's four
    corners as background: the box's centre ('paper': CLISC, Ma et al., ISBI 2025, section 2.3), or `authors_points`
    ('authors-code', which dilates by 10 px). Raises ValueError for an empty region.
    """
    rows, columns = region.shape
    box = dilate_box(bounding_box(region), dilation_px, (rows, columns))
    if kind == "box":
        return box_prompt(box)
    x0, y0, x1, y1 = box
    inside = np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]) if points == "paper" else authors_points(region, picture)
    corners = [(x0, y0), (x1, y0), (x0, y1), (x1, y1)]
    return Prompt(
        box if kind == "both" else None,
        np.concatenate([inside, corners]).astype(np.float32),
        np.array([FOREGROUND] * len(inside) + [BACKGROUND] * len(corners), dtype=np.int64),
    )


def authors_points(region: NDArray[np.bool_], picture: NDArray[Any]) -> NDArray[np.float32]:
    """Five points (x, y) among a region's brightest pixels, (5, 2).

    `picture`: (Y, X), 0 where the slice is darkest; not equalised. Bright is what reaches 60 % of the region's largest
    value. The points are the first, the last and the middle bright pixel in raster order, and those at one third and
    two thirds. Source: HiLab-git/CLISC at b9d22c1, train/step2_sam_inference.py: the fifth edge from the end of a
    histogram with ten bins, of the picture with 0 outside the region. Raises ValueError for an empty region.
    """
    if not region.any():
        raise ValueError("an empty region has no points")
    values = np.where(region, picture, 0)
    # The edge as the histogram has it: 0.6 times the maximum can differ from it in the last bit.
    edge = np.linspace(0.0, float(values.max()), 11)[-5]
    rows, columns = np.nonzero(region & (values >= edge))
    count = len(rows)
    chosen = [0, count - 1, count // 2, count // 3, 2 * count // 3]
    return np.stack([columns[chosen], rows[chosen]], axis=1).astype(np.float32)
