"""The shape and the place of a simulated tumour: a star-shaped solid with a noisy surface, in mm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unseg_bench.blocks.components import bounding_box
from unseg_bench.blocks.rotation import turn_by
from unseg_bench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unseg_bench.blocks.simulated_tumours.options import SimulatorOptions
    from unseg_bench.data.volume import Mask

_NOISE_EXTENT = 1000.0
_DIRECTIONS = 2562
_TRIES = 64


@dataclass(frozen=True, eq=False)
class BrainBox:
    """The box of a brain in voxels: its first voxel, and its size; faces are those of the voxels."""

    low: NDArray[np.float64]
    size: NDArray[np.float64]


def brain_box(brain: Mask) -> BrainBox:
    """Return the box of a brain. Raises DataError where there is no brain."""
    found = bounding_box(brain)
    if found is None:
        raise DataError("The brain is empty: a simulated tumour needs a brain to sit in. Check the image's background.")
    low, stop = (np.array([getattr(part, end) for part in found], np.float64) for end in ("start", "stop"))
    return BrainBox(low, stop - low)


@dataclass(frozen=True, eq=False)
class Shape:
    """A noisy ball, scaled and turned: u is inside where |u| <= 1 + roughness * S(u / |u| + offset).

    `body` (3, 3) takes u to mm: turned, scaled by the radii. `heart` (3,) is the mean of the surface in u: it comes to
    lie in the tumour's centre. S is fractal simplex noise of `octaves` octaves, within (-1, 1).
    """

    volume_ml: float
    body: NDArray[np.float64]
    heart: NDArray[np.float64]
    offset: NDArray[np.float64]
    octaves: int
    roughness: float


def draw_shape(rng: np.random.Generator, options: SimulatorOptions) -> Shape:
    """Draw size, proportions, turn and surface. The enclosed volume is about 1.05 times the one drawn, as published."""
    volume_ml, ratio = rng.uniform(*options.volume_ml), rng.uniform(*options.axis_ratio)
    turn = turn_by(np.eye(3), rng.uniform(0.0, np.pi, 3) * (1, -1, 1))  # about the y axis from z to x
    octaves = int(rng.integers(options.octaves[0], options.octaves[1] + 1))
    offset = rng.uniform(0.0, _NOISE_EXTENT, 3)
    radius_mm = (3000.0 * volume_ml / (4.0 * np.pi)) ** (1 / 3)
    directions = sphere(_DIRECTIONS)
    factors = radial_factors(directions, offset, octaves, options.roughness)
    heart = (directions * factors[:, None]).mean(axis=0)
    body = turn * (radius_mm * np.array([ratio, 1.0 / ratio, 1.0]))
    return Shape(volume_ml, body, heart, offset, octaves, options.roughness)


def sphere(count: int) -> NDArray[np.float64]:
    """Return `count` unit vectors (count, 3) spread evenly over the sphere, by the golden angle."""
    place = np.arange(count) + 0.5
    z, angle = 1.0 - 2.0 * place / count, place * np.pi * (3.0 - np.sqrt(5.0))
    across = np.sqrt(1.0 - z * z)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)


def draw_centre(
    rng: np.random.Generator,
    options: SimulatorOptions,
    box: BrainBox,
    allowed: Mask,
    spacing_mm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Draw the centre (3,) in mm from the corner of the grid: in the published part of the brain's box, and allowed.

    Of 64 draws the first in an allowed voxel is taken; where none is, the first moves to the nearest allowed voxel.
    Raises DataError where nothing is allowed.
    """
    draws = rng.random((_TRIES, 4))
    fractions = np.empty((_TRIES, 3))
    away = options.from_midline[0] + draws[:, 0] * np.ptp(options.from_midline)
    fractions[:, 0] = 0.5 + np.where(draws[:, 3] < 0.5, -away, away)
    for axis, (low, high) in ((1, options.from_front), (2, options.height)):
        fractions[:, axis] = low + draws[:, axis] * (high - low)
    voxels = box.low + fractions * box.size
    x, y, z = np.minimum(np.floor(voxels), box.low + box.size - 1).astype(np.intp).T
    good = np.flatnonzero(allowed[x, y, z])
    if good.size:
        return voxels[good[0]] * spacing_mm
    places = np.argwhere(allowed)
    if not places.size:
        raise DataError("No voxel of the brain is allowed as a tumour's centre: the mask `allowed` leaves none.")
    distance_mm = np.linalg.norm((places + 0.5 - voxels[0]) * spacing_mm, axis=1)
    return (places[distance_mm.argmin()] + 0.5) * spacing_mm


def draw_mask(
    shape: Shape, centre_mm: NDArray[np.float64], brain: Mask, spacing_mm: NDArray[np.float64]
) -> tuple[tuple[slice, slice, slice], Mask]:
    """Return the window of the grid that a tumour fills, and its mask there, cleared outside the brain.

    The voxel that holds the centre always belongs to it, so that a coarse grid loses no tumour.
    """
    from unseg_bench.blocks.simulated_tumours.kernels import fill_star

    middle = centre_mm - shape.body @ shape.heart
    reach = (1.0 + shape.roughness) * np.linalg.norm(shape.body, axis=1)
    size = np.array(brain.shape)
    seat = np.minimum(np.floor(centre_mm / spacing_mm).astype(int), size - 1)
    low = np.clip(np.floor((middle - reach) / spacing_mm).astype(int), 0, seat)
    high = np.clip(np.ceil((middle + reach) / spacing_mm).astype(int), seat + 1, size)
    mask = np.zeros(high - low, np.bool_)
    first_mm = (low + 0.5) * spacing_mm - centre_mm
    to_body = np.linalg.inv(shape.body).astype(np.float64)
    fill_star(mask, first_mm, spacing_mm, to_body, shape.heart, shape.offset, shape.octaves, shape.roughness)
    mask[tuple(seat - low)] = True
    mask &= brain[_window(low, high)]
    box = bounding_box(mask)
    assert box is not None  # noqa: S101 - its centre is a part of it
    x, y, z = (slice(int(first) + part.start, int(first) + part.stop) for first, part in zip(low, box, strict=True))
    return (x, y, z), mask[box]


def _window(low: NDArray[np.int_], high: NDArray[np.int_]) -> tuple[slice, slice, slice]:
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return x, y, z


def radial_factors(
    directions: NDArray[np.float64], offset: NDArray[np.float64], octaves: int, roughness: float
) -> NDArray[np.float64]:
    """Return a surface's distance from the origin of u along unit vectors (N, 3); the rest as in Shape."""
    from unseg_bench.blocks.simulated_tumours.kernels import fractal

    noise = np.empty(len(directions))
    fractal(directions + offset, octaves, noise)
    return 1.0 + roughness * noise
