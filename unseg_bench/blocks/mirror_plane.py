"""The plane that a head is most nearly symmetrical about, and what lies on the other side of it."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.resample import resample_to_shape
from unseg_bench.data.volume import Image, Mask

Vector: TypeAlias = NDArray[np.float64]

_DARKEST, _BRIGHTEST, _OUTSIDE = -3.0, 2.0, -4.0
"""Intensities are cut at these before two sides are compared; outside the brain lies a value of its own, so that the
outlines of both sides are compared too."""
_STARTS_VOXELS = (-1.0, 1.0)
"""How far from the middle of the brain's box the search for the plane begins, on the coarse grid."""
_BLUR_VOXELS = 1.0
"""Of a Gaussian on the coarse grid. Without it a plane that falls on the grid is preferred: it interpolates nothing."""
_NO_OVERLAP = 1e6
"""The difference of two sides that share no voxel: more than any, and finite, as the search needs it."""
_TILT = 0.2
"""Radians of tilt of the first simplex."""


@dataclass(frozen=True, slots=True)
class MirrorPlane:
    """The points p, in voxels of an isotropic grid, with `normal` . p = `offset`; `normal` (3,) has length 1."""

    normal: Vector
    offset: float

    def reflected(self, points: Vector) -> Vector:
        """Return the points (3, ...) on the other side, p - 2 (n . p - d) n."""
        beyond = np.tensordot(self.normal, points, axes=1) - self.offset
        return points - 2 * self.normal.reshape(3, *[1] * (points.ndim - 1)) * beyond

    def scaled(self, factor: float) -> "MirrorPlane":
        """Return the plane on a grid whose voxels are `factor` times as wide and share the outer faces."""
        # The centre of voxel p lies at (p + 1/2) * size from the outer face.
        half = 0.5 * float(self.normal.sum())
        return MirrorPlane(self.normal, (self.offset + half) / factor - half)


def reflect(image: Image, plane: MirrorPlane, outside: float = 0.0) -> Image:
    """Return (X, Y, Z) float32 with what lies at each voxel's mirror image, by linear interpolation.

    Voxels whose mirror image lies outside of the volume get `outside`.
    """
    from scipy.ndimage import map_coordinates

    points = plane.reflected(np.indices(image.shape, dtype=np.float64))
    return np.asarray(map_coordinates(image, points, order=1, cval=outside, output=np.float32), np.float32)


def reflect_inside(image: Image, brain: Mask, plane: MirrorPlane) -> tuple[Image, Mask]:
    """Return the image of the other side (X, Y, Z), 0 where it has no brain, and where it has.

    The mean is over the other side's brain voxels alone, so the brain's rim is not darkened by the empty outside.
    """
    share = reflect(brain.astype(np.float32), plane)
    there = share > 0.5
    other = reflect(np.where(brain, image, np.float32(0)), plane)
    return np.divide(other, share, out=np.zeros_like(other), where=there), there


def find_mirror_plane(image: Image, brain: Mask, leave_out: Mask) -> MirrorPlane:
    """Return the plane whose reflection changes the image least: the smallest mean absolute difference.

    `image` (X, Y, Z) on an isotropic grid, standardised, X from right to left or left to right; `leave_out`: voxels
    that are no guide, a tumour's, and neither are their mirror images. The normal is sought near the X axis, its two
    tilts and the plane's place by Nelder and Mead's method on a grid of half the resolution, from two starts. Where
    everything is left out, the plane halves the brain's box.
    """
    from scipy.ndimage import gaussian_filter
    from scipy.optimize import minimize

    shape = tuple(max(1, n // 2) for n in image.shape)
    small = np.where(brain, np.clip(image, _DARKEST, _BRIGHTEST), np.float32(_OUTSIDE)).astype(np.float32)
    coarse = resample_to_shape(small, (shape[0], shape[1], shape[2]))
    coarse = np.asarray(gaussian_filter(coarse, _BLUR_VOXELS, mode="constant", cval=_OUTSIDE), np.float32)
    weight = np.float32(1) - resample_to_shape(leave_out.astype(np.float32), (shape[0], shape[1], shape[2]))
    occupied = np.flatnonzero(brain.any(axis=(1, 2)))
    middle = (float(occupied[0] + occupied[-1]) / 2 if occupied.size else (image.shape[0] - 1) / 2) / 2 - 0.25
    pivot = np.array([middle, (shape[1] - 1) / 2, (shape[2] - 1) / 2])

    def difference(numbers: Vector) -> float:
        plane = _plane(numbers, pivot)
        counted = weight * reflect(weight, plane)
        total = float(counted.sum())
        if total == 0:
            return _NO_OVERLAP
        changed = np.abs(coarse - reflect(coarse, plane, _OUTSIDE))
        return float((counted * changed).sum()) / total

    scale = shape[0] / image.shape[0]
    if not weight.any():
        return _plane(np.zeros(3), pivot).scaled(scale)
    simplex = np.array([[0, 0, 0], [_TILT, 0, 0], [0, _TILT, 0], [0, 0, 2.0]])
    found: list[tuple[float, list[float]]] = []
    for start in _STARTS_VOXELS:
        first = simplex + np.array([0, 0, start])
        settings = {"initial_simplex": first, "xatol": 5e-3, "fatol": 1e-5, "maxfev": 120}
        result = minimize(difference, first[0], method="Nelder-Mead", options=settings)
        found.append((float(result.fun), [float(number) for number in result.x]))
    return _plane(np.array(min(found)[1]), pivot).scaled(scale)


def _plane(numbers: Vector, pivot: Vector) -> MirrorPlane:
    """The plane through the pivot moved along x, with the normal (1, tilt, tilt) made to length 1."""
    normal = np.array([1.0, numbers[0], numbers[1]])
    normal /= np.linalg.norm(normal)
    return MirrorPlane(normal, float(normal @ (pivot + np.array([numbers[2], 0.0, 0.0]))))
