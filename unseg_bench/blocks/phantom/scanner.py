"""The scanner: slice thickness, blur, bias field, gamma, noise and the file's units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .fields import Grid, smooth_field

if TYPE_CHECKING:
    from .fields import Array


@dataclass(frozen=True)
class Scanner:
    """Settings of one acquisition; blurs are standard deviations in mm along x, y and z."""

    blur_mm: tuple[float, float, float]
    bias: float
    bias_scale_mm: float
    gamma: float
    noise: float
    noise_grain: float
    units: float


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """Most scans have thick slices (2.5-6.5 mm), axial or coronal, some sagittal; the rest are nearly isotropic."""
    in_plane = rng.uniform(0.4, 1.1)
    blur = [in_plane, in_plane, in_plane]
    thick, thickness, direction = rng.random() < 0.65, rng.uniform(2.5, 6.5), rng.choice(3, p=[0.12, 0.4, 0.48])
    if thick:
        # A box of this width has this standard deviation; interpolation between slices widens it a little.
        blur[int(direction)] = float(thickness / np.sqrt(12) * 1.2)
    return Scanner(
        blur_mm=(blur[0], blur[1], blur[2]),
        bias=float(rng.uniform(0.02, 0.11)),
        bias_scale_mm=float(rng.uniform(45, 80)),
        gamma=float(np.exp(rng.normal(0, 0.15))),
        noise=float(np.exp(rng.uniform(np.log(0.005), np.log(0.035)))),
        noise_grain=float(rng.uniform(0, 0.7)),
        units=float(np.exp(rng.uniform(np.log(60), np.log(1500)))),
    )


def scan(
    rng: np.random.Generator, field_rng: np.random.Generator, grid: Grid, signal: Array, scanner: Scanner
) -> Array:
    """Turn the ideal signal into an image in the file's units, before the background is cleared."""
    from scipy.ndimage import gaussian_filter

    image = gaussian_filter(signal, [b / grid.step_mm for b in scanner.blur_mm], truncate=3.0)
    image = np.clip(image, 0, None) ** np.float32(scanner.gamma)
    image *= np.exp(np.float32(scanner.bias) * smooth_field(field_rng, grid, scanner.bias_scale_mm, 320.0))
    # The same scanner averages more noise in a larger voxel; grain is the noise's own blur in voxels.
    level = scanner.noise * (2.0 / grid.step_mm) ** 0.5
    real = image + np.float32(level) * _grain(rng, grid, scanner.noise_grain)
    imaginary = np.float32(level) * rng.standard_normal(grid.shape, dtype=np.float32)
    return np.sqrt(real**2 + imaginary**2) * np.float32(scanner.units)


def _grain(rng: np.random.Generator, grid: Grid, sigma: float) -> Array:
    """Unit noise, correlated between neighbouring voxels."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal(grid.shape, dtype=np.float32), sigma, truncate=3.0)
    return noise / noise.std()
