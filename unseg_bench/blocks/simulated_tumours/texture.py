"""The texture of a simulated tumour: a piece of another brain, deformed and blurred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unseg_bench.blocks.simulated_tumours.options import SimulatorOptions
    from unseg_bench.blocks.simulated_tumours.shape import BrainBox
    from unseg_bench.data.volume import Image, Mask

# TorchIO's elastic deformation as published: 7 control points an axis, of which the two at each border stay.
_CONTROL_POINTS = 7
_LOCKED_BORDERS = 2
_TRUNCATE = 4.0


@dataclass(frozen=True, eq=False)
class Texture:
    """What happens to the donor: shifts of the control points (3, 7, 7, 7) in mm, blur (3,) as SDs in mm."""

    control_mm: NDArray[np.float32]
    blur_mm: NDArray[np.float64]


def draw_texture(rng: np.random.Generator, options: SimulatorOptions) -> Texture:
    """Draw the deformation and the blur, each axis by itself."""
    free = slice(_LOCKED_BORDERS, _CONTROL_POINTS - _LOCKED_BORDERS)
    inner = _CONTROL_POINTS - 2 * _LOCKED_BORDERS
    control = np.zeros((3, *[_CONTROL_POINTS] * 3), np.float32)
    control[:, free, free, free] = rng.uniform(-options.elastic_mm, options.elastic_mm, (3, inner, inner, inner))
    return Texture(control, rng.uniform(*options.blur_mm, 3))


def sample_texture(
    texture: Texture,
    window: tuple[slice, slice, slice],
    box: BrainBox,
    spacing_mm: NDArray[np.float64],
    donor: Image,
    donor_brain: Mask,
    donor_box: BrainBox,
    outside: float,
) -> Image:
    """Return the deformed and blurred donor in a window of the normal brain's grid.

    The two brains' boxes are laid over each other. `outside`: what stands where the donor has no brain.
    """
    from scipy.ndimage import gaussian_filter

    from unseg_bench.blocks.simulated_tumours.kernels import warp

    sigma = texture.blur_mm / spacing_mm
    margin = np.ceil(_TRUNCATE * sigma).astype(int)
    low = np.array([part.start for part in window]) - margin
    size = np.array([part.stop for part in window]) + margin - low
    scale = donor_box.size / box.size
    shifts = (
        _shifts_mm(texture.control_mm, low, size, box) * (scale / spacing_mm).astype(np.float32)[:, None, None, None]
    )
    first = donor_box.low + (low + 0.5 - box.low) * scale - 0.5
    warped = np.empty(size, np.float32)
    warp(donor, donor_brain, outside, first.astype(np.float32), scale.astype(np.float32), shifts, warped)
    blurred = cast("Image", gaussian_filter(warped, sigma, truncate=_TRUNCATE))
    x, y, z = (slice(m, n - m) for m, n in zip(margin, size, strict=True))
    return blurred[x, y, z]


def _shifts_mm(
    control_mm: NDArray[np.float32], low: NDArray[np.int_], size: NDArray[np.int_], box: BrainBox
) -> NDArray[np.float32]:
    """The cubic B-spline (3, X, Y, Z) of the control points, which lie a quarter of the brain's box apart."""
    shifts = control_mm
    for axis in range(3):
        fractions = (low[axis] + np.arange(size[axis]) + 0.5 - box.low[axis]) / box.size[axis]
        shifts = np.moveaxis(np.moveaxis(shifts, axis + 1, -1) @ _spline_weights(fractions).T, -1, axis + 1)
    return np.ascontiguousarray(shifts)


def _spline_weights(fractions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weights (N, 7) of the control points at -1/4, 0, ..., 5/4 of the box; a quarter beyond it nothing moves."""
    places = fractions * (_CONTROL_POINTS - 3) + 1.0
    distance = np.abs(places[:, None] - np.arange(_CONTROL_POINTS))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2.0 - distance, 0.0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)
