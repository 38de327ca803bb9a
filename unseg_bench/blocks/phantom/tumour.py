"""Where a tumour sits, its outline, and what it looks like inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .anatomy import Head, MassEffect, Tissue
from .fields import Grid, smooth_field, smoothstep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .fields import Array


@dataclass(frozen=True)
class Tumour:
    """A tumour in a window of the grid.

    `reference` is the whole tumour; `level` is 1 on its outline, 0 in its centre, and larger outside.
    """

    window: tuple[slice, slice, slice]
    reference: NDArray[np.bool_]
    level: Array


def radius_of(volume_ml: float) -> float:
    """Radius in mm of the ball with this volume."""
    return float((3000 * volume_ml / (4 * np.pi)) ** (1 / 3))


def choose_seat(rng: np.random.Generator, head: Head, volume_ml: float) -> MassEffect:
    """Choose a centre in the white matter of the cerebrum and how hard the tumour pushes."""
    lattice = head.lattice
    tissue = head.tissue(lattice)
    radius = radius_of(volume_ml)
    x, y, z = lattice.open_mesh()
    margin = np.float32(np.clip(0.55 * radius, 6, 20))
    fit = tissue.white * (tissue.depth_mm > margin) * tissue.brain * (np.abs(tissue.side) > min(10.0, 0.4 * radius + 4))
    above_cerebellum = z > np.where(y > 15, -8, -38)
    weight = (fit * above_cerebellum + 0 * x).ravel().astype(np.float64)
    chosen = rng.choice(weight.size, p=weight / weight.sum())
    i, j, k = np.unravel_index(chosen, lattice.shape)
    jitter = rng.uniform(-2.5, 2.5, 3)
    centre = np.array([lattice.x[i], lattice.y[j], lattice.z[k]], np.float64) + jitter
    push = radius * rng.uniform(0.0, 0.35)
    return MassEffect(centre, radius, float(min(push, 9.0)))


def grow(rng: np.random.Generator, grid: Grid, tissue: Tissue, effect: MassEffect, volume_ml: float) -> Tumour:
    """Grow a tumour of the asked volume: an irregular ellipsoid that follows white matter and avoids CSF."""
    from scipy.ndimage import gaussian_filter

    window = grid.window(effect.centre_mm, 2.6 * effect.radius_mm + 8)
    near = grid.part(window)
    csf, side = tissue.csf[window], tissue.side[window]
    stretch = np.exp(rng.normal(0, 0.18, 3)).astype(np.float32)
    offsets = [(a - np.float32(c)) * s for a, c, s in zip(near.open_mesh(), effect.centre_mm, stretch, strict=True)]
    distance = np.sqrt(offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2)
    coarse = smooth_field(rng, near, float(np.clip(effect.radius_mm * 0.8, 8, 22)))
    fine = smooth_field(rng, near, 5.0)
    fingers = np.float32(rng.uniform(0.25, 0.9))
    tract = gaussian_filter(tissue.white[window] - 1.2 * csf, 1.2 / grid.step_mm)
    rough = np.float32(rng.uniform(0.12, 0.3)) * coarse + np.float32(rng.uniform(0.03, 0.12)) * fine
    level = distance / np.float32(effect.radius_mm) * np.exp(rough - fingers * (tract - np.float32(0.6)))
    hemisphere = np.sign(side[tuple(n // 2 for n in side.shape)])
    level += np.float32(0.35) * smoothstep(-hemisphere * side, 0, 8)
    level[~tissue.brain[window] | (csf > 0.7)] = np.inf
    wanted = max(1, round(volume_ml * 1000 / grid.step_mm**3))
    reference, outline = _cut_at_volume(level, wanted)
    return Tumour(window, reference, level / np.float32(outline))


def _largest_region(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected region of a mask that is not empty."""
    from scipy.ndimage import label

    labels = np.empty(mask.shape, np.int32)
    label(mask, output=labels)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def _cut_at_volume(level: Array, wanted: int) -> tuple[NDArray[np.bool_], float]:
    """The one connected region of lowest levels with about `wanted` voxels, and the level of its outline."""
    from scipy.ndimage import binary_fill_holes

    allowed = np.isfinite(level)
    most = int(allowed.sum())
    count, missing = 0, wanted
    outline, region = 0.0, allowed
    while missing > 0.02 * wanted and count < most:
        count = min(count + missing, most)
        outline = float(np.partition(level.ravel(), count - 1)[count - 1])
        region = _largest_region(level <= outline)
        missing = wanted - int(region.sum())
    return np.asarray(binary_fill_holes(region), np.bool_) & allowed, outline
