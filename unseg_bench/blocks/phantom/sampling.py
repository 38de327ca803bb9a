"""Linear interpolation of all maps of the atlas at once, compiled: the step that took most of a phantom's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from .fields import Array


@numba.njit(cache=True, nogil=True)
def interpolate(maps: Array, positions: Array, out: Array) -> None:
    """Sample `maps` (X, Y, Z, C) at `positions` (3, N) in voxels into `out` (C, N); outside, the edge goes on."""
    size_x, size_y, size_z, channels = maps.shape
    for n in range(positions.shape[1]):
        x = min(max(positions[0, n], np.float32(0)), np.float32(size_x - 1.001))
        y = min(max(positions[1, n], np.float32(0)), np.float32(size_y - 1.001))
        z = min(max(positions[2, n], np.float32(0)), np.float32(size_z - 1.001))
        i, j, k = int(x), int(y), int(z)
        u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
        for c in range(channels):
            low = (maps[i, j, k, c] * (1 - w) + maps[i, j, k + 1, c] * w) * (1 - v) + (
                maps[i, j + 1, k, c] * (1 - w) + maps[i, j + 1, k + 1, c] * w
            ) * v
            high = (maps[i + 1, j, k, c] * (1 - w) + maps[i + 1, j, k + 1, c] * w) * (1 - v) + (
                maps[i + 1, j + 1, k, c] * (1 - w) + maps[i + 1, j + 1, k + 1, c] * w
            ) * v
            out[c, n] = low * (1 - u) + high * u
