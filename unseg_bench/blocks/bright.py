"""Rules that call bright what lies above a threshold in FLAIR: what the floor uses, and its ceiling tries."""

from typing import Literal, TypeAlias

import numpy as np

from unseg_bench.blocks.components import fill_holes, largest_component
from unseg_bench.blocks.otsu import otsu
from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.data.volume import Image, Mask, Volume

BrightRule: TypeAlias = Literal["otsu", "otsu3", "z", "z-largest", "smooth-z", "smooth-mad"]
"""See `bright`."""
DEFAULT_CUT: dict[str, float] = {"z": 1.5, "z-largest": 1.5, "smooth-z": 1.25, "smooth-mad": 2.0}
"""Where a rule cuts unless told otherwise; Otsu's rules find their own threshold."""
OPENING_MM = 2.0
"""Radius of the ball that opens a mask: it removes what is thinner than about 4 mm."""


def bright(volume: Volume, rule: BrightRule, cut: float | None, sigma_mm: float) -> Mask:
    """Return the mask (X, Y, Z) of a rule inside the brain; `cut` None: the rule's own.

    - `otsu`: above Otsu's threshold of the brain; `otsu3`: the brightest of Otsu's three classes, opening, largest
    - `z`: above `cut` standard deviations; `z-largest`: then opening and the largest component
    - `smooth-z`: Gaussian of `sigma_mm`, above `cut`, opening, largest component, holes filled
    - `smooth-mad`: the same with (x - median) / MAD, the median absolute deviation (not scaled to a normal's)
    """
    if not volume.brain.any():
        return volume.empty_mask()
    found = _above(volume, rule, cut, sigma_mm)
    if rule in ("otsu", "z"):
        return found
    return _clean(found, volume.spacing_mm, fill=rule.startswith("smooth"))


def ball(radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Return the voxels within `radius_mm` of a voxel, and its six neighbours in any case."""
    reach = [max(1, int(radius_mm / size + 1e-6)) for size in spacing_mm]
    grid = np.ogrid[tuple(slice(-n, n + 1) for n in reach)]
    within = sum((axis * size) ** 2 for axis, size in zip(grid, spacing_mm, strict=True)) <= radius_mm**2 + 1e-6
    steps = sum(np.abs(axis) for axis in grid) <= 1
    return np.asarray(within | steps, dtype=np.bool_)


def _above(volume: Volume, rule: BrightRule, cut: float | None, sigma_mm: float) -> Mask:
    """Return the brain's voxels above the rule's threshold."""
    if rule in ("otsu", "otsu3"):
        return volume.brain & (volume.image > otsu(volume.image[volume.brain], 2 if rule == "otsu" else 3))
    image = volume.image
    if rule.startswith("smooth"):
        image = smooth_inside(image, volume.brain, sigma_mm, volume.spacing_mm)
    level = DEFAULT_CUT[rule] if cut is None else cut
    return volume.brain & (_standardised(image, volume.brain, robust=rule == "smooth-mad") > level)


def _standardised(image: Image, brain: Mask, *, robust: bool) -> Image:
    """Return `image` as it is (it is z-scored), or as distance from the brain's median in MADs."""
    if not robust:
        return image
    inside = image[brain]
    median = np.median(inside)
    deviation = max(float(np.median(np.abs(inside - median))), float(np.finfo(np.float32).tiny))
    return (image - median) / np.float32(deviation)


def _clean(mask: Mask, spacing_mm: tuple[float, float, float], *, fill: bool) -> Mask:
    """Open, keep the largest component (26 neighbours), fill holes where asked."""
    from scipy import ndimage

    opened = np.asarray(ndimage.binary_opening(mask, ball(OPENING_MM, spacing_mm)), dtype=np.bool_)
    largest = largest_component(opened)
    return fill_holes(largest) if fill else largest
