"""Dark insides that belong to a tumour: holes of its outline, and cavities that it surrounds for the most part."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.asymmetry import NEAR_MM, Sides, near
from unseg_bench.blocks.components import structuring_element
from unseg_bench.blocks.resample import mask_to_shape
from unseg_bench.data.volume import Mask

_DARK = -0.6
"""Standard deviations below the tissue's mean, and below the mirror image, that a cavity is darker than."""
_WALL = 0.3
"""A cavity's wall is what is darker than so many standard deviations around it."""
_LEAST_ML, _SURROUNDED, _CLOSING_MM = 0.5, 0.6, 5.0


def fill_slices(mask: Mask) -> Mask:
    """Fill what a mask (X, Y, Z) encloses in any slice across any axis, as somebody who outlines slices does."""
    from scipy import ndimage

    filled = mask.copy()
    for axis in range(3):
        flat = np.zeros((3, 3, 3), np.bool_)
        flat[tuple(1 if other == axis else slice(None) for other in range(3))] = ndimage.generate_binary_structure(2, 1)
        filled |= np.asarray(ndimage.binary_fill_holes(mask, flat), dtype=np.bool_)
    return filled


def add_cavities(mask: Mask, brain: Mask, working_brain: Mask, sides: Sides, spacing_mm: float) -> Mask:
    """Return a mask on any grid (that of `brain`) with the cavities that `join_cavities` finds on the grid of `sides`.

    `working_brain` and `spacing_mm`: of that grid.
    """
    x, y, z = working_brain.shape
    coarse = mask_to_shape(mask, (x, y, z))
    joined = join_cavities(coarse, working_brain, sides, spacing_mm) if coarse.any() else coarse
    if joined is coarse:
        return mask
    x, y, z = mask.shape
    return mask | (mask_to_shape(joined, (x, y, z)) & brain)


def join_cavities(mask: Mask, brain: Mask, sides: Sides, spacing_mm: float) -> Mask:
    """Return the mask (X, Y, Z) with the cavities that lie in it, and their walls.

    A cavity is an opened part of more than 0.5 ml, darker than tissue and than its mirror image by 0.6 standard
    deviations, no larger than the mask, 60 % of whose surface inside the brain lies within 7.5 mm of the mask. With it
    joins what is rather dark within 7.5 mm; then the mask is closed by 5 mm and filled. Ventricles have a mirror image.
    All on one isotropic grid; a mask without such a cavity is returned as it is.
    """
    from scipy import ndimage

    cross = structuring_element(6)
    dark = (sides.smooth < _DARK) & (sides.difference < _DARK) & sides.mirrored
    opened = ndimage.binary_opening(dark, cross)
    labels, count = cast("tuple[NDArray[np.int32], int]", ndimage.label(opened, cross))
    around, size = near(mask, NEAR_MM, spacing_mm), np.count_nonzero(mask)
    joined = np.zeros_like(mask)
    for number in range(1, count + 1):
        cavity = labels == number
        voxels = int(np.count_nonzero(cavity))
        if voxels * spacing_mm**3 < _LEAST_ML * 1000 or voxels > size:
            continue
        surface = near(cavity, spacing_mm, spacing_mm) & ~cavity & brain
        if np.count_nonzero(surface & around) >= _SURROUNDED * np.count_nonzero(surface):
            joined |= cavity | (near(cavity, NEAR_MM, spacing_mm) & (sides.smooth < _WALL) & brain)
    if not joined.any():
        return mask
    steps = round(_CLOSING_MM / spacing_mm)
    padded = np.pad(mask | joined, steps + 1)
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(padded, cross, iterations=steps))
    inside = (slice(steps + 1, -steps - 1),) * 3
    return np.asarray(closed, dtype=np.bool_)[inside] & brain
