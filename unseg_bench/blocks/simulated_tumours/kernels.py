"""Compiled loops behind the simulated tumours: simplex noise, the star-shaped solid, the warped donor."""

import numba
import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.volume import Image, Mask

# Simplex noise in 3D after Perlin and Gustavson: a corner reaches sqrt(0.6) far, and 32 brings the sum into (-1, 1).
_REACH = 0.6
_SCALE = 32.0


@numba.njit(cache=True, nogil=True, inline="always")
def _corner(i: int, j: int, k: int, x: float, y: float, z: float) -> float:
    """Share of the lattice corner (i, j, k) at the offset (x, y, z): one of twelve gradients, faded with distance."""
    fade = _REACH - x * x - y * y - z * z
    if fade <= 0.0:
        return 0.0
    # A hash instead of a table of 256 entries, so that the noise has no period.
    key = (
        np.uint64(i) * np.uint64(0x9E3779B97F4A7C15)
        + np.uint64(j) * np.uint64(0xC2B2AE3D27D4EB4F)
        + np.uint64(k) * np.uint64(0x165667B19E3779F9)
    )
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    gradient = (key >> np.uint64(33)) % np.uint64(12)
    first, second = (x, y) if gradient < 4 else ((x, z) if gradient < 8 else (y, z))
    slope = (first if gradient & np.uint64(1) else -first) + (second if gradient & np.uint64(2) else -second)
    fade *= fade
    return fade * fade * slope


@numba.njit(cache=True, nogil=True)
def simplex(x: float, y: float, z: float) -> float:
    """Simplex noise at a point, within (-1, 1); features are about one unit wide."""
    skew = (x + y + z) / 3.0
    i, j, k = int(np.floor(x + skew)), int(np.floor(y + skew)), int(np.floor(z + skew))
    back = (i + j + k) / 6.0
    x0, y0, z0 = x - i + back, y - j + back, z - k + back
    # The walk from corner (0, 0, 0) to (1, 1, 1) of the cell takes the largest coordinate first.
    x_first, y_first = x0 >= y0 and x0 >= z0, y0 > x0 and y0 >= z0
    x_last, y_last = x0 < y0 and x0 < z0, y0 <= x0 and y0 < z0
    i1, j1 = int(x_first), int(y_first)
    k1 = 1 - i1 - j1
    i2, j2 = 1 - int(x_last), 1 - int(y_last)
    k2 = 2 - i2 - j2
    total = _corner(i, j, k, x0, y0, z0)
    total += _corner(i + i1, j + j1, k + k1, x0 - i1 + 1 / 6, y0 - j1 + 1 / 6, z0 - k1 + 1 / 6)
    total += _corner(i + i2, j + j2, k + k2, x0 - i2 + 1 / 3, y0 - j2 + 1 / 3, z0 - k2 + 1 / 3)
    total += _corner(i + 1, j + 1, k + 1, x0 - 0.5, y0 - 0.5, z0 - 0.5)
    return total * _SCALE


@numba.njit(cache=True, nogil=True)
def fractal(points: NDArray[np.float64], octaves: int, out: NDArray[np.float64]) -> None:
    """Fill `out` (N,) with the noise of `points` (N, 3): octave k at frequency 2^k, amplitude 2^-k over their sum."""
    total_amplitude = 2.0 - 0.5 ** (octaves - 1)
    for n in range(points.shape[0]):
        total, frequency, amplitude = 0.0, 1.0, 1.0
        for _ in range(octaves):
            total += amplitude * simplex(points[n, 0] * frequency, points[n, 1] * frequency, points[n, 2] * frequency)
            frequency *= 2.0
            amplitude *= 0.5
        out[n] = total / total_amplitude


@numba.njit(cache=True, nogil=True)
def _exceeds(x: float, y: float, z: float, octaves: int, level: float) -> bool:
    """Whether fractal noise at a point is at least `level`; stops at the octave that settles it."""
    total_amplitude = 2.0 - 0.5 ** (octaves - 1)
    missing, left, amplitude = level * total_amplitude, total_amplitude, 1.0
    for _ in range(octaves):
        missing -= amplitude * simplex(x, y, z)
        left -= amplitude
        if missing > left or missing < -left:
            break
        x, y, z, amplitude = x * 2.0, y * 2.0, z * 2.0, amplitude * 0.5
    return missing <= 0.0


@numba.njit(cache=True, nogil=True)
def fill_star(
    out: Mask,
    first_mm: NDArray[np.float64],
    spacing_mm: NDArray[np.float64],
    to_body: NDArray[np.float64],
    heart: NDArray[np.float64],
    offset: NDArray[np.float64],
    octaves: int,
    roughness: float,
) -> None:
    """Set `out` (X, Y, Z) where |u| <= 1 + roughness * S(u / |u| + offset), with u = to_body @ position + heart.

    `first_mm`: the first voxel's centre from the tumour's centre; `to_body` (3, 3): mm -> radii of the turned body.
    """
    for i in range(out.shape[0]):
        x = first_mm[0] + i * spacing_mm[0]
        for j in range(out.shape[1]):
            y = first_mm[1] + j * spacing_mm[1]
            for k in range(out.shape[2]):
                z = first_mm[2] + k * spacing_mm[2]
                u = to_body[0, 0] * x + to_body[0, 1] * y + to_body[0, 2] * z + heart[0]
                v = to_body[1, 0] * x + to_body[1, 1] * y + to_body[1, 2] * z + heart[1]
                w = to_body[2, 0] * x + to_body[2, 1] * y + to_body[2, 2] * z + heart[2]
                radius = np.sqrt(u * u + v * v + w * w)
                if radius >= 1.0 + roughness:
                    continue
                if radius <= 1.0 - roughness:
                    out[i, j, k] = True
                else:
                    turned = 1.0 / radius
                    level = (radius - 1.0) / roughness
                    out[i, j, k] = _exceeds(
                        u * turned + offset[0], v * turned + offset[1], w * turned + offset[2], octaves, level
                    )


@numba.njit(cache=True, nogil=True)
def warp(
    donor: Image,
    brain: Mask,
    outside: float,
    first: NDArray[np.float32],
    step: NDArray[np.float32],
    shifts: NDArray[np.float32],
    out: Image,
) -> None:
    """Fill `out` (X, Y, Z) with `donor` at first + step * voxel + shifts[:, voxel], in donor voxels, trilinearly.

    `outside` is what the donor holds outside its brain and beyond its grid.
    """
    size_x, size_y, size_z = donor.shape
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                x = first[0] + step[0] * i + shifts[0, i, j, k]
                y = first[1] + step[1] * j + shifts[1, i, j, k]
                z = first[2] + step[2] * k + shifts[2, i, j, k]
                a, b, c = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
                value = 0.0
                for da in range(2):
                    along_x = x - a if da else 1.0 - (x - a)
                    for db in range(2):
                        along_y = y - b if db else 1.0 - (y - b)
                        for dc in range(2):
                            weight = along_x * along_y * (z - c if dc else 1.0 - (z - c))
                            p, q, r = a + da, b + db, c + dc
                            inside = 0 <= p < size_x and 0 <= q < size_y and 0 <= r < size_z
                            value += weight * (donor[p, q, r] if inside and brain[p, q, r] else outside)
                out[i, j, k] = value
