"""What one side of a head has and the other has not: a tumour is on one side, bright normal tissue is on both."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.components import structuring_element
from unseg_bench.blocks.mirror_plane import find_mirror_plane, reflect_inside
from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.data.volume import Image, Mask

SMOOTH_MM = 2.0
"""Standard deviation of the Gaussian before two sides are compared."""
NEAR_MM = 7.5
"""What lies so near to an asymmetric part belongs to the same tumour."""


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """A head and its mirror image, all (X, Y, Z) on one isotropic grid.

    `smooth`: the smoothed image; `difference`: it minus its mirror image, 0 where the other side has no brain;
    `mirrored`: brain whose mirror image is brain too.
    """

    smooth: Image
    difference: Image
    mirrored: Mask


def compare_sides(image: Image, brain: Mask, leave_out: Mask, spacing_mm: float) -> Sides:
    """Find the mirror plane and take one side from the other.

    `image` (X, Y, Z) is standardised; `leave_out`: voxels that the plane must not be sought by, a tumour's.
    """
    plane = find_mirror_plane(image, brain, leave_out)
    smooth = smooth_inside(image, brain, SMOOTH_MM, (spacing_mm, spacing_mm, spacing_mm))
    other, there = reflect_inside(smooth, brain, plane)
    mirrored = brain & there
    return Sides(smooth, np.where(mirrored, smooth - other, np.float32(0)), mirrored)


def asymmetric_piece(probability: Image, sides: Sides, cut: float, spacing_mm: float, level: float = 0.5) -> Mask:
    """Return the tumour's main piece: what is probable around the asymmetric part with the most probability.

    A part (6 neighbours) of what lies above `level` counts where it is brighter than its mirror image by more than
    `cut` (in the image's standard deviations), or has none. The one with the largest sum of `probability` - `level` is
    chosen, and what lies above `level` within 7.5 mm of it. Where no part is asymmetric, all that lies above `level`.
    """
    from scipy import ndimage

    above = probability > np.float32(level)
    asymmetric = above & ((sides.difference > np.float32(cut)) | ~sides.mirrored)
    labels, count = cast("tuple[NDArray[np.int32], int]", ndimage.label(asymmetric, structuring_element(6)))
    if count == 0:
        return above
    weights = np.bincount(labels.ravel(), (probability - np.float32(level)).ravel(), minlength=count + 1)[1:]
    return above & near(labels == 1 + int(weights.argmax()), NEAR_MM, spacing_mm)


def near(mask: Mask, reach_mm: float, spacing_mm: float) -> Mask:
    """Return what lies within so many steps from face to face of a mask (X, Y, Z) as `reach_mm` has; at least one."""
    from scipy import ndimage

    steps = max(1, round(reach_mm / spacing_mm))
    return np.asarray(ndimage.binary_dilation(mask, structuring_element(6), iterations=steps), dtype=np.bool_)
