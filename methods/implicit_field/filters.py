"""Filters of cubes of voxels: the commonest class, the lowest value, the mean."""

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Image, Mask

from .options import SmoothingOptions


def window_voxels(width_mm: float, voxel_mm: float, *, even: bool = False) -> int:
    """Return a window's width in voxels: the nearest odd number, with `even` the nearest of all; 1 is no filter."""
    wide = width_mm / voxel_mm
    return max(1, round(wide) if even else 2 * round((wide - 1) / 2) + 1)


def commonest(classes: NDArray[np.uint8], count: int, window: int, where: Mask | None = None) -> NDArray[np.uint8]:
    """Return of each voxel the commonest of `count` classes within `window` voxels; at a tie the lowest one.

    Only voxels of `where` have a vote. An even window looks back, as the published one does.
    """
    from scipy import ndimage

    if window == 1:
        return classes
    most, result = np.zeros(classes.shape, dtype=np.float32), np.zeros_like(classes)
    ones = np.ones(window)
    for number in range(count):
        votes = classes == number if where is None else (classes == number) & where
        counted = votes.astype(np.float32)
        for axis in range(3):
            counted = ndimage.correlate1d(counted, ones, axis, mode="constant")
        result[counted > most] = number
        np.maximum(most, counted, out=most)
    return result


def smooth(values: Image, voxel_mm: float, options: SmoothingOptions) -> Image:
    """Return the lowest values, then means, of a cube's map (side, side, side); outside of the cube is 0."""
    return mean_pool(
        min_pool(values, window_voxels(options.min_pool_mm, voxel_mm)), window_voxels(options.mean_pool_mm, voxel_mm)
    )


def min_pool(values: Image, window: int) -> Image:
    """Return the lowest value within `window` voxels; what lies outside of the cube is not looked at."""
    from scipy import ndimage

    return np.asarray(ndimage.minimum_filter(values, window, mode="constant", cval=np.inf), dtype=np.float32)


def mean_pool(values: Image, window: int) -> Image:
    """Return the mean within `window` voxels; outside of the cube are zeros, and they count (published)."""
    from scipy import ndimage

    return np.asarray(ndimage.uniform_filter(values, window, mode="constant"), dtype=np.float32)
