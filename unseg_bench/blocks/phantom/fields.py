"""Regular grids in millimetres, smooth random fields on them, and independent random streams."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# Arrays of the generator are float32; numpy's stubs see a float64 wherever a Python float takes part.
Array: TypeAlias = NDArray[np.floating[Any]]

# The standard deviation of a cubic B-spline with unit-variance control values: (151/315)^(3/2).
_SPLINE_SD = (151.0 / 315.0) ** 1.5


class Stream(IntEnum):
    """What a random stream decides. Each has its own generator, so one part never shifts the draws of another."""

    KIND = 0
    ANATOMY = 1
    SEAT = 2
    TUMOUR = 3
    DISTRACTORS = 4
    CONTRAST = 5
    SCANNER = 6
    NOISE = 7


def stream(cohort_seed: int, case_index: int, purpose: Stream) -> np.random.Generator:
    """The generator of one purpose of one case; it depends on nothing else."""
    return np.random.default_rng(np.random.SeedSequence([cohort_seed, case_index, int(purpose)]))


@dataclass(frozen=True)
class Grid:
    """Voxel centres along three axes, in mm from the middle of the head.

    `x`, `y` and `z` are 1D float32 arrays; x grows to the left, y to the back and z upwards (LPS).
    """

    x: Array
    y: Array
    z: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each axis."""
        return len(self.x), len(self.y), len(self.z)

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """The three coordinate arrays."""
        return self.x, self.y, self.z

    @property
    def step_mm(self) -> float:
        """Distance between neighbouring voxels, equal along all axes."""
        return float(self.x[1] - self.x[0])

    def open_mesh(self) -> tuple[Array, Array, Array]:
        """The coordinates shaped (X, 1, 1), (1, Y, 1) and (1, 1, Z), for broadcasting."""
        return self.x[:, None, None], self.y[None, :, None], self.z[None, None, :]

    def window(self, centre_mm: NDArray[np.float64], reach_mm: float) -> tuple[slice, slice, slice]:
        """The part of the grid within `reach_mm` of a point along each axis; empty slices where there is none."""
        starts = [int(np.searchsorted(axis, c - reach_mm)) for axis, c in zip(self.axes, centre_mm, strict=True)]
        stops = [int(np.searchsorted(axis, c + reach_mm)) for axis, c in zip(self.axes, centre_mm, strict=True)]
        return slice(starts[0], stops[0]), slice(starts[1], stops[1]), slice(starts[2], stops[2])

    def part(self, window: tuple[slice, slice, slice]) -> Grid:
        """The grid of a window."""
        return Grid(self.x[window[0]], self.y[window[1]], self.z[window[2]])

    def distance_mm(self, point: NDArray[np.float64]) -> Array:
        """Euclidean distance of each voxel from a point (x, y, z) in mm."""
        x, y, z = (axis - np.float32(at) for axis, at in zip(self.open_mesh(), point, strict=True))
        return np.sqrt(x * x + y * y + z * z)


def centred_axis(length: int, spacing_mm: float) -> Array:
    """Centres of `length` voxels about zero, in mm."""
    return ((np.arange(length) + 0.5 - length / 2) * spacing_mm).astype(np.float32)


def _spline_matrix(coordinates_mm: Array, first_mm: float, step_mm: float, count: int) -> Array:
    """Weights (coordinates, control points) of the uniform cubic B-spline."""
    distance = np.abs((coordinates_mm[:, None] - first_mm) / step_mm - np.arange(count)[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def spline(control: Array, first_mm: tuple[float, float, float], step_mm: float, grid: Grid) -> Array:
    """Evaluate a cubic B-spline on a grid: (X, Y, Z). `control` (I, J, K) lies at `first_mm + step_mm * index`."""
    a, b, c = (
        _spline_matrix(axis, first, step_mm, count)
        for axis, first, count in zip(grid.axes, first_mm, control.shape, strict=True)
    )
    along_x = a @ control.reshape(control.shape[0], -1)
    along_y = b @ along_x.reshape(len(a), control.shape[1], control.shape[2])
    return along_y @ c.T


def smooth_field(rng: np.random.Generator, grid: Grid, scale_mm: float, extent_mm: float = 240.0) -> Array:
    """A smooth random field of mean 0 and standard deviation 1 that varies over about `scale_mm`.

    The draws depend on `scale_mm` and `extent_mm` only, so grids of different resolution see the same field.
    """
    count = int(np.ceil(extent_mm / scale_mm)) + 4
    first = -(count - 1) / 2 * scale_mm
    control = rng.standard_normal((count, count, count), dtype=np.float32) / np.float32(_SPLINE_SD)
    return spline(control, (first, first, first), scale_mm, grid)


def smoothstep(value: Array, low: float, high: float) -> Array:
    """Rise from 0 at `low` to 1 at `high` with flat ends."""
    t = value - np.float32(low)
    t *= np.float32(1 / (high - low))
    np.clip(t, 0, 1, out=t)
    steep = 3 - 2 * t
    steep *= t
    steep *= t
    return steep
