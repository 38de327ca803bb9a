"""Prompts for SAM from a region of a slice: a box and points, in pixels (x, y) of the picture."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1): the first and last column and row, both inside the box."""

FOREGROUND, BACKGROUND = 1, 0


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """One prompt. `points`: (P, 2) float32, a row is (x, y). `labels`: (P,) int, 1 = foreground, 0 = background."""

    box: Box
    points: NDArray[np.float32]
    labels: NDArray[np.int64]


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


def box_and_five_points(region: NDArray[np.bool_], dilation_px: int = 0) -> Prompt:
    """The region's box, the box's centre as foreground and its four corners as background.

    `region`: (Y, X) bool, not empty. Source: CLISC (Ma et al., ISBI 2025), section 2.3; the paper does not dilate.
    """
    rows, columns = region.shape
    box = dilate_box(bounding_box(region), dilation_px, (rows, columns))
    x0, y0, x1, y1 = box
    points = [((x0 + x1) / 2, (y0 + y1) / 2), (x0, y0), (x1, y0), (x0, y1), (x1, y1)]
    labels = [FOREGROUND] + [BACKGROUND] * 4
    return Prompt(box, np.asarray(points, dtype=np.float32), np.asarray(labels, dtype=np.int64))
