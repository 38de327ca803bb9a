"""Rules that call bright what lies above a threshold in FLAIR: what the floor uses, and its ceiling tries."""

from typing import Literal, TypeAlias

import numpy as np

from unseg_bench.blocks.components import fill_holes, largest_component
from unseg_bench.blocks.otsu import otsu
from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.blocks.tissue import robust_scores, standardise_by
from unseg_bench.data.volume import Image, Mask, Volume

BrightRule: TypeAlias = Literal["otsu", "otsu3", "z", "z-largest", "smooth-z", "smooth-mad", "two-pass", "steepest"]
"""See `bright`."""
DEFAULT_CUT: dict[str, float] = {
    "z": 1.5, "z-largest": 1.5, "smooth-z": 1.25, "smooth-mad": 2.0, "two-pass": 1.5, "steepest": 2.0,
}  # fmt: skip
"""Where a rule cuts unless told otherwise; Otsu's rules find their own threshold."""
_FIRST_MADS, _AROUND_MM = 2.0, 5.0
"""What the first pass calls tumour, as `smooth-mad` does; and how much around it is no healthy tissue either."""
OPENING_MM = 2.0
"""Radius of the ball that opens a mask: it removes what is thinner than about 4 mm."""


def bright(volume: Volume, rule: BrightRule, cut: float | None, sigma_mm: float) -> Mask:
    """Return the mask (X, Y, Z) of a rule inside the brain; `cut` None: the rule's own.

    - `otsu`: above Otsu's threshold of the brain; `otsu3`: the brightest of Otsu's three classes, opening, largest
    - `z`: above `cut` standard deviations; `z-largest`: then opening and the largest component
    - `smooth-z`: Gaussian of `sigma_mm`, above `cut`, opening, largest component, holes filled
    - `smooth-mad`: the same with (x - median) / MAD, the median absolute deviation (not scaled to a normal's)
    - `two-pass`: what `smooth-mad` finds is left out, and 5 mm around it; then as `smooth-z`, by the mean and the
      standard deviation of the rest of the brain
    - `steepest`: where that is above `cut` and brighter than its mirror image, the outline where the image's edge is
      steepest, holes of slices filled, cavities joined (see `steepest_bright`)
    """
    if not volume.brain.any():
        return volume.empty_mask()
    if rule == "steepest":
        return steepest_bright(volume, DEFAULT_CUT[rule] if cut is None else cut, sigma_mm)
    found = _above(volume, rule, cut, sigma_mm)
    if rule in ("otsu", "z"):
        return found
    return _clean(found, volume.spacing_mm, fill=rule.startswith("smooth") or rule == "two-pass")


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
    if rule.startswith("smooth") or rule == "two-pass":
        image = smooth_inside(image, volume.brain, sigma_mm, volume.spacing_mm)
    if rule == "smooth-mad":
        image = robust_scores(image, volume.brain)
    if rule == "two-pass":
        measured = standardise_by(volume.image, volume.brain, _outside(volume, image))
        image = smooth_inside(measured, volume.brain, sigma_mm, volume.spacing_mm)
    return volume.brain & (image > (DEFAULT_CUT[rule] if cut is None else cut))


def outside_bright(volume: Volume, sigma_mm: float = 2.0) -> Mask:
    """Return the brain (X, Y, Z) without what `smooth-mad` finds before it fills holes, and without 5 mm around that.

    `sigma_mm`: standard deviation of the Gaussian. All of the brain where nothing is found.
    """
    return _outside(volume, smooth_inside(volume.image, volume.brain, sigma_mm, volume.spacing_mm))


def _outside(volume: Volume, smooth: Image) -> Mask:
    from scipy import ndimage

    first = _clean(volume.brain & (robust_scores(smooth, volume.brain) > _FIRST_MADS), volume.spacing_mm, fill=False)
    if not first.any():
        return volume.brain
    distance = np.asarray(ndimage.distance_transform_edt(~first, sampling=volume.spacing_mm))
    return volume.brain & (distance > _AROUND_MM)


def _clean(mask: Mask, spacing_mm: tuple[float, float, float], *, fill: bool) -> Mask:
    """Open, keep the largest component (26 neighbours), fill holes where asked."""
    from scipy import ndimage

    opened = np.asarray(ndimage.binary_opening(mask, ball(OPENING_MM, spacing_mm)), dtype=np.bool_)
    largest = largest_component(opened)
    return fill_holes(largest) if fill else largest


_RANGE = 2.0
"""Standard deviations over which `steepest` passes from no tumour to tumour; its cut lies in the middle."""
_STEEPEST_MM = 2.5


def steepest_bright(volume: Volume, cut: float, sigma_mm: float) -> Mask:
    """Return the asymmetric bright piece of a volume, (X, Y, Z), as far as its steepest outline.

    On a grid of 2.5 mm, smoothed by `sigma_mm` and measured by the tissue that `two-pass` measures by and that is not
    bright either: from 1 below to 1 above `cut` standard deviations a voxel passes from no tumour to tumour. Place,
    outline and cavities are then found as `synthetic` does with its networks' probability.
    """
    from unseg_bench.blocks.asymmetry import compare_sides, near
    from unseg_bench.blocks.region import RegionOptions, find_region
    from unseg_bench.blocks.working_volumes import volume_at_spacing

    working = volume_at_spacing(volume, _STEEPEST_MM)
    brain = working.brain
    smooth = smooth_inside(working.image, brain, sigma_mm, working.spacing_mm)
    dim = robust_scores(smooth, brain) <= _FIRST_MADS
    image = standardise_by(working.image, brain, _outside(working, smooth) & dim)
    scores = smooth_inside(image, brain, sigma_mm, working.spacing_mm)
    likely = np.clip((scores - np.float32(cut)) / np.float32(_RANGE) + np.float32(0.5), 0, 1) * brain
    sides = compare_sides(image, brain, near(likely > 0.5, _STEEPEST_MM, _STEEPEST_MM), _STEEPEST_MM)
    found = find_region(volume.brain, working, image, likely, sides, RegionOptions())
    return found.mask if found.outlines else volume.empty_mask()
