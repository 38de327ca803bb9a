"""Volumes to another voxel size and exactly back: one convention, shapes that always fit.

The convention is that of voxels as boxes: the outer faces of the volume stay where they are, so a shape of n voxels
of size s becomes round(n * s / t) voxels, each n * s / round(...) wide, which is t up to half a voxel in all.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.volume import Image, Mask

Mode: TypeAlias = Literal["linear", "nearest"]
Spacing: TypeAlias = tuple[float, float, float]
Shape: TypeAlias = tuple[int, int, int]


def shape_at(shape: Shape, from_mm: Spacing, to_mm: Spacing) -> Shape:
    """Return the shape that a volume of `shape` voxels of `from_mm` has in voxels of `to_mm`; at least 1 an axis."""
    x, y, z = (max(1, round(n * s / t)) for n, s, t in zip(shape, from_mm, to_mm, strict=True))
    return x, y, z


def resample(image: NDArray[np.floating], from_mm: Spacing, to_mm: Spacing, mode: Mode = "linear") -> Image:
    """Return `image` (X, Y, Z) in voxels of `to_mm`, float32; 'linear' is anti-aliased where voxels grow."""
    return resample_to_shape(image, shape_at(_shape(image), from_mm, to_mm), mode)


def resample_to_shape(image: NDArray[np.floating], shape: Shape, mode: Mode = "linear") -> Image:
    """Return `image` (X, Y, Z) on a grid of `shape` voxels over the same extent, float32.

    'linear' interpolates trilinearly and, along axes that shrink, averages over the new voxel (exact block means for
    whole factors). 'nearest' takes the voxel that holds the new voxel's centre.
    """
    result = np.asarray(image, dtype=np.float32)
    for axis, size in enumerate(shape):
        if size != result.shape[axis]:
            result = _along_axis(result, axis, size, mode)
    return np.array(result, dtype=np.float32, order="C")


def resample_mask(mask: Mask, from_mm: Spacing, to_mm: Spacing, mode: Mode = "linear") -> Mask:
    """Return `mask` in voxels of `to_mm`; see `mask_to_shape`."""
    return mask_to_shape(mask, shape_at(_shape(mask), from_mm, to_mm), mode)


def mask_to_shape(mask: Mask, shape: Shape, mode: Mode = "linear") -> Mask:
    """Return `mask` (X, Y, Z) on a grid of `shape` voxels: True where the resampled membership exceeds one half."""
    return resample_to_shape(mask.astype(np.float32), shape, mode) > 0.5


def _shape(array: NDArray[np.generic]) -> Shape:
    x, y, z = array.shape
    return x, y, z


def _along_axis(array: Image, axis: int, size: int, mode: Mode) -> Image:
    """Resample one axis: by taking voxels, or by a small matrix of weights."""
    if mode == "nearest":
        return np.take(array, _nearest_indices(array.shape[axis], size), axis=axis)
    weights = _mean_weights if size < array.shape[axis] else _linear_weights
    moved = np.moveaxis(array, axis, -1)
    return np.moveaxis(moved @ weights(array.shape[axis], size).T, -1, axis)


def _nearest_indices(n: int, size: int) -> NDArray[np.intp]:
    centres = (np.arange(size) + 0.5) * n / size
    return np.minimum(centres.astype(np.intp), n - 1)


def _mean_weights(n: int, size: int) -> NDArray[np.float32]:
    """Weights (size, n) of the mean over each new voxel: the share of it that each old voxel covers."""
    edges = np.arange(size + 1) * (n / size)
    old = np.arange(n)
    low = np.maximum(edges[:-1, None], old[None, :])
    high = np.minimum(edges[1:, None], old[None, :] + 1.0)
    return (np.clip(high - low, 0.0, None) * (size / n)).astype(np.float32)


def _linear_weights(n: int, size: int) -> NDArray[np.float32]:
    """Weights (size, n) of linear interpolation at the new voxels' centres; the border value continues outside."""
    position = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0.0, n - 1.0)
    lower = np.minimum(position.astype(np.intp), max(0, n - 2))
    share = position - lower
    weights = np.zeros((size, n))
    weights[np.arange(size), lower] += 1.0 - share
    weights[np.arange(size), np.minimum(lower + 1, n - 1)] += share
    return weights.astype(np.float32)
