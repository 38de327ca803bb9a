"""What the scanner would see: tissue contrast, bright distractors and the tumour's signal, with white matter near 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .fields import Grid, smooth_field, smoothstep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .anatomy import Tissue
    from .fields import Array
    from .tumour import Tumour


@dataclass(frozen=True)
class Contrast:
    """Signal of the tissues of one scan, relative to white matter."""

    grey: float
    csf: float
    detail: float
    mottle: float


def draw_contrast(rng: np.random.Generator) -> Contrast:
    """From scans that hardly tell grey from white matter to scans with a bright cortex."""
    return Contrast(
        grey=1 + float(rng.choice([rng.uniform(0.0, 0.14), rng.uniform(0.1, 0.4)])),
        csf=float(rng.uniform(0.08, 0.55)),
        detail=float(rng.uniform(-0.3, 0.3)),
        mottle=float(rng.uniform(0.01, 0.04)),
    )


def healthy_signal(rng: np.random.Generator, grid: Grid, tissue: Tissue, contrast: Contrast) -> Array:
    """The signal of a brain without lesions."""
    image = tissue.white + np.float32(contrast.grey) * tissue.grey + np.float32(contrast.csf) * tissue.csf
    mottle = np.float32(contrast.mottle) * (smooth_field(rng, grid, 4.0) + smooth_field(rng, grid, 14.0))
    # Cortex is not even: its brightness changes from gyrus to gyrus.
    cortex = np.float32(rng.uniform(0.02, 0.1)) * smooth_field(rng, grid, 9.0) * tissue.grey
    return (
        image + (1 - tissue.csf) * (mottle + np.float32(contrast.detail) * np.clip(tissue.detail, -0.2, 0.1)) + cortex
    )


def _blobs(
    grid: Grid, centres: NDArray[np.float64], radii_mm: NDArray[np.float64], sizes: NDArray[np.float64]
) -> Array:
    """The largest of several Gaussian spots at each voxel, computed only around each spot."""
    image = np.zeros(grid.shape, np.float32)
    for centre, radius, size in zip(centres, radii_mm, sizes, strict=True):
        window = grid.window(centre, 3 * radius)
        distance = grid.part(window).distance_mm(centre)
        spot = np.float32(size) * np.exp(-((distance / np.float32(radius)) ** 2))
        np.maximum(image[window], spot, out=image[window])
    return image


def _places(rng: np.random.Generator, fit: Array, grid: Grid, count: int) -> NDArray[np.float64]:
    """Centres (count, 3) in mm drawn where `fit` holds; the draws do not depend on the grid's resolution."""
    tries = rng.uniform(-1, 1, (count * 40, 3)) * np.array([70.0, 86.0, 74.0])
    index = [np.clip(np.searchsorted(axis, tries[:, i]), 0, len(axis) - 1) for i, axis in enumerate(grid.axes)]
    return tries[fit[index[0], index[1], index[2]] > 0.5][:count]


def white_matter_spots(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Small bright spots of white matter disease."""
    few, many = int(rng.integers(1, 8)), int(rng.integers(8, 30))
    count = int(rng.choice(np.array([0, few, many]), p=[0.25, 0.4, 0.35]))
    fit = tissue.white * (tissue.depth_mm > 8) * tissue.brain
    centres = _places(rng, fit, grid, count)
    radii = rng.uniform(1.2, 4.5, count)[: len(centres)]
    sizes = rng.uniform(0.15, 0.85, count)[: len(centres)]
    return _blobs(grid, centres, radii, sizes) * np.clip(tissue.white * 1.3, 0, 1)


def periventricular_rim(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Caps and bands along both ventricles, and in a third of the heads confluent patches beyond them."""
    width, size, confluent = rng.uniform(1.5, 5.0), rng.uniform(0.0, 0.5), rng.random() < 0.25
    reach, extra = rng.uniform(8, 16), rng.uniform(0.2, 0.4)
    away = np.clip(tissue.ventricle_mm, 0, None)
    rim = np.float32(size) * np.exp(-((away / np.float32(width)) ** 2))
    field = smooth_field(rng, grid, 10.0)
    if confluent:
        even = (field + field[::-1]) * np.float32(0.7)
        patch = smoothstep(even, 0.2, 0.9) * np.exp(-((away / np.float32(reach)) ** 2))
        rim = np.maximum(rim, np.float32(extra) * patch)
    return rim * np.clip(tissue.white * 1.2, 0, 1) * (1 - tissue.csf)


def cortical_patches(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Stretches of bright cortex."""
    count = int(rng.choice([0, 1, 2, 4], p=[0.5, 0.2, 0.15, 0.15]))
    fit = tissue.grey * (tissue.depth_mm < 14) * tissue.brain
    centres = _places(rng, fit, grid, count)
    radii, sizes = rng.uniform(9, 26, count)[: len(centres)], rng.uniform(0.1, 0.35, count)[: len(centres)]
    return _blobs(grid, centres, radii, sizes) * np.clip(tissue.grey * 1.4 - 0.2, 0, 1)


def surface_band(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """A bright band under the skull on part of the head, and bright poles at the skull base, in some scans."""
    band, base = rng.random() < 0.45, rng.random() < 0.5
    thickness, size, base_size = rng.uniform(4, 9), rng.uniform(0.3, 1.0), rng.uniform(0.4, 1.3)
    where = smooth_field(rng, grid, 38.0)
    height = grid.open_mesh()[2]
    shallow = np.exp(-np.clip(tissue.depth_mm, 0, None) / np.float32(thickness))
    result = np.zeros(grid.shape, np.float32)
    if band:
        result += np.float32(size) * shallow * smoothstep(where, 0.3, 1.5)
    if base:
        low = 1 - smoothstep(height, -62, -36)
        result += np.float32(base_size) * low * shallow * smoothstep(where[::-1], -0.2, 1.2)
    return result * (1 - np.float32(0.6) * tissue.csf)


def distractors(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Everything bright that is not tumour, added to the healthy signal."""
    rim = periventricular_rim(rng, grid, tissue)
    lesions = np.maximum(rim, white_matter_spots(rng, grid, tissue))
    return lesions + cortical_patches(rng, grid, tissue) + surface_band(rng, grid, tissue)


def leftovers(rng: np.random.Generator, grid: Grid, tissue: Tissue, image: Array) -> None:
    """Draw, in place, what skull-stripping left outside the brain: dark CSF and specks of dura, fat and eyes."""
    base, spread = rng.uniform(0.1, 0.8), rng.uniform(0.1, 0.4)
    texture = np.float32(base) + np.float32(spread) * smooth_field(rng, grid, 4.0)
    outside = smoothstep(-tissue.depth_mm, 2.5, 4.0)
    image += outside * (np.clip(texture, 0.02, 1.7) - image)


@dataclass(frozen=True)
class Look:
    """How a tumour shows: signals relative to white matter, extents as fractions of its outline's level."""

    oedema: float
    washout: float
    patchiness: float
    patch_mm: float
    core: float
    core_extent: float
    necrosis: float
    necrosis_extent: float
    roughness: float
    edge_mm: float


def draw_look(rng: np.random.Generator, kind: str, contrast: Contrast) -> Look:
    """Draw the look of one kind of tumour: 'plain', 'faint' or 'heterogeneous'."""
    edge = float(rng.uniform(0.4, 2.4))
    if kind == "faint":
        oedema = max(contrast.grey, 1.08) + rng.uniform(0.22, 0.48)
        return Look(float(oedema), float(rng.uniform(0.8, 1.0)), float(rng.uniform(0, 0.05)), 12.0, 1, 0, 0, 0, 0, edge)
    plain = kind == "plain"
    has_core = rng.random() < (0.55 if plain else 0.85)
    has_necrosis = has_core and rng.random() < (0.3 if plain else 0.8)
    core_extent = float(rng.uniform(0.4, 0.7)) if has_core else 0.0
    darkest = 0.65 if plain else 0.75
    return Look(
        oedema=1 + float(rng.uniform(0.5, 1.3) if plain else rng.uniform(0.4, 1.0)),
        washout=float(rng.uniform(0.65, 0.95)),
        patchiness=float(rng.uniform(0.02, 0.12) if plain else rng.uniform(0.12, 0.35)),
        patch_mm=float(rng.uniform(5, 12)),
        core=float(rng.uniform(0.75, 1.15) if plain else rng.uniform(0.7, 1.05)),
        core_extent=core_extent,
        necrosis=float(rng.uniform(0.1, 0.9)),
        necrosis_extent=core_extent * float(rng.uniform(0.4, darkest)) if has_necrosis else 0.0,
        roughness=float(rng.uniform(0.05, 0.22)),
        edge_mm=edge,
    )


def paint_tumour(
    rng: np.random.Generator, grid: Grid, image: Array, sulci: Array, tumour: Tumour, look: Look, csf: float
) -> None:
    """Replace, in place, the signal inside the tumour by oedema, core and necrosis, with a soft edge.

    `grid`, `image` and `sulci` (fraction of CSF) are those of the tumour's window.
    """
    from scipy.ndimage import gaussian_filter

    patches = smooth_field(rng, grid, look.patch_mm)
    rough = smooth_field(rng, grid, 9.0) + np.float32(0.6) * smooth_field(rng, grid, 4.0)
    level = tumour.level + np.float32(look.roughness) * rough
    signal = np.float32(look.oedema) * (1 + np.float32(look.patchiness) * patches)
    core = 1 - smoothstep(level, look.core_extent - 0.06, look.core_extent + 0.06)
    signal = signal * (1 - core * np.float32(1 - look.core))
    if look.necrosis_extent > 0:
        dark = 1 - smoothstep(level, look.necrosis_extent - 0.05, look.necrosis_extent + 0.1)
        signal += dark * (np.float32(look.necrosis) * (1 + np.float32(0.12) * rough) - signal)
    signal = np.maximum(signal, np.float32(csf))
    weight = gaussian_filter(tumour.reference.astype(np.float32), look.edge_mm / grid.step_mm / 1.5)
    weight = weight * np.float32(look.washout) + (1 - np.float32(look.washout)) * weight * core
    inside = signal * (1 - sulci) + np.float32(csf) * sulci
    image += weight * (inside - image)
