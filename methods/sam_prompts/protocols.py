"""Seven ways to prompt SAM from the region of a slice, the reference's or another method's."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.prompts import BACKGROUND, FOREGROUND, Box, Prompt, bounding_box, box_prompt, prompt_of

Protocol: TypeAlias = Literal["paper", "G1", "G2", "G3", "G4", "G5"]
"""'paper': the box, its centre as foreground, its four corners as background (the row "SAM" of the CLISC paper).
'G1': the tight box. 'G2': the tight box of each component. 'G3': G1 with each side shifted at random. 'G4': a point in
each component, where it is deepest. 'G5': G1, three points inside and the four corners as background."""

Region: TypeAlias = NDArray[np.bool_]
"""Tumour in the picture of an axial slice, (Y, X)."""

SHIFT_MM = 10.0
"""G3 shifts each side by up to so much, in or out: 10 pixels of BraTS' 1 mm, fewer where pixels are larger."""

MIN_COMPONENT_MM2 = 10.0
"""G2 and G4 leave smaller components out: 10 pixels of BraTS' 1 mm."""


def make_prompts(
    protocol: Protocol, region: Region, pixel_mm: tuple[float, float], chance: np.random.Generator
) -> list[Prompt]:
    """Return what SAM is asked in one slice; several prompts mean the union of their masks.

    `region` (Y, X) is not empty; `pixel_mm` are a pixel's width and height; only G3 draws from `chance`. The list is
    empty for a region of nothing but specks (G2, G4).
    """
    match protocol:
        case "paper":
            return [prompt_of(region, region, kind="both", points="paper", dilation_px=0)]
        case "G1":
            return [box_prompt(bounding_box(region))]
        case "G2":
            return [box_prompt(bounding_box(component)) for component in components(region, pixel_mm)]
        case "G3":
            return [box_prompt(shift_sides(bounding_box(region), region.shape, pixel_mm, chance))]
        case "G4":
            return [_points(None, [deepest(component)], []) for component in components(region, pixel_mm)]
        case "G5":
            x0, y0, x1, y1 = box = bounding_box(region)
            return [_points(box, three_inside(region), [(x0, y0), (x1, y0), (x0, y1), (x1, y1)])]


def components(region: Region, pixel_mm: tuple[float, float]) -> list[Region]:
    """Return the pieces of a region (8 neighbours) of at least `MIN_COMPONENT_MM2`, in raster order."""
    from scipy import ndimage

    labels = np.empty(region.shape, dtype=np.int32)
    ndimage.label(region, np.ones((3, 3)), output=labels)
    areas = np.bincount(labels.ravel())[1:] * pixel_mm[0] * pixel_mm[1]
    # A hair less than the limit, so that pixels of 0.1 mm do not fail by rounding.
    return [labels == number + 1 for number in np.flatnonzero(areas >= MIN_COMPONENT_MM2 - 1e-6)]


def shift_sides(box: Box, shape: tuple[int, int], pixel_mm: tuple[float, float], chance: np.random.Generator) -> Box:
    """Shift each side by U(-`SHIFT_MM`, `SHIFT_MM`), to whole pixels of a picture of `shape` (rows, columns).

    Sides stop at the picture's edge; where two cross, as in a box of less than twice the shift, they change places.
    """
    rows, columns = shape
    moved = np.rint(np.asarray(box) + chance.uniform(-SHIFT_MM, SHIFT_MM, 4) / np.tile(pixel_mm, 2))
    x0, x1 = sorted(int(x) for x in np.clip(moved[[0, 2]], 0, columns - 1))
    y0, y1 = sorted(int(y) for y in np.clip(moved[[1, 3]], 0, rows - 1))
    return x0, y0, x1, y1


def deepest(region: Region) -> tuple[int, int]:
    """Return the pixel (x, y) that is farthest from the region's outside, in pixels; of equals the first."""
    return _highest(_depth(region), region)


def three_inside(region: Region) -> list[tuple[int, int]]:
    """Return the deepest pixel (x, y) of each third of a region, cut across its longer side; fewer of 1 or 2 pixels."""
    depth, rows_columns = _depth(region), np.argwhere(region)
    longer = int(np.ptp(rows_columns, axis=0).argmax())
    along = rows_columns[np.argsort(rows_columns[:, longer], kind="stable")]
    points: list[tuple[int, int]] = []
    for third in np.array_split(along, 3):
        if len(third):
            part = np.zeros_like(region)
            part[third[:, 0], third[:, 1]] = True
            points.append(_highest(depth, part))
    return points


def _depth(region: Region) -> NDArray[np.float64]:
    """Distance of each pixel to the nearest one outside; beyond the picture is outside."""
    from scipy import ndimage

    padded = np.asarray(ndimage.distance_transform_edt(np.pad(region, 1)), dtype=np.float64)
    return padded[1:-1, 1:-1]


def _highest(depth: NDArray[np.float64], region: Region) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.where(region, depth, -1.0).argmax()), region.shape)
    return int(column), int(row)


def _points(box: Box | None, foreground: list[tuple[int, int]], background: list[tuple[int, int]]) -> Prompt:
    labels = [FOREGROUND] * len(foreground) + [BACKGROUND] * len(background)
    points = np.asarray([*foreground, *background], dtype=np.float32).reshape(-1, 2)
    return Prompt(box, points, np.asarray(labels, dtype=np.int64))
