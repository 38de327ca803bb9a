"""Contrasts, tumours and scanners drawn far more widely than those of the demo data set's phantoms."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from unseg_bench.blocks.phantom.fields import Array, Grid, smooth_field, smoothstep
from unseg_bench.blocks.phantom.intensity import Contrast
from unseg_bench.blocks.phantom.scanner import Scanner
from unseg_bench.blocks.phantom.tumour import Tumour


def wide_contrast(rng: np.random.Generator) -> Contrast:
    """Grey matter darker than white in a sixth of the heads, up to 60 % brighter in others; CSF black to grey."""
    low, high = ((0.8, 1.0), (1.0, 1.15), (1.1, 1.6))[int(rng.choice(3, p=[0.16, 0.42, 0.42]))]
    return Contrast(
        grey=float(rng.uniform(low, high)),
        csf=float(rng.uniform(0.05, 0.75)),
        detail=float(rng.uniform(-0.5, 0.5)),
        mottle=float(rng.uniform(0.005, 0.06)),
    )


def wide_scanner(rng: np.random.Generator) -> Scanner:
    """Blur up to slices of 7 mm along any axis, bias, gamma and noise up to twice those of the demo's scanners."""
    blur = [float(rng.uniform(0.3, 1.4))] * 3
    if rng.random() < 0.5:
        blur[int(rng.choice(3, p=[0.2, 0.3, 0.5]))] = float(rng.uniform(2.0, 7.0) / np.sqrt(12) * 1.2)
    return Scanner(
        blur_mm=(blur[0], blur[1], blur[2]),
        bias=float(rng.uniform(0.0, 0.2)),
        bias_scale_mm=float(rng.uniform(35, 90)),
        gamma=float(np.exp(rng.normal(0, 0.25))),
        noise=float(np.exp(rng.uniform(np.log(0.003), np.log(0.06)))),
        noise_grain=float(rng.uniform(0, 1.0)),
        units=1.0,
    )


@dataclass(frozen=True)
class WideLook:
    """How a tumour shows. Signals are relative to white matter, extents are fractions of the outline's level.

    `fade`: how much of the oedema's extra signal is gone at the outline; `rim`: extra signal of a shell around the
    core; `cover`: share of the sulci inside that the tumour's signal fills; `edge_mm`: width of the soft edge.
    """

    oedema: float
    fade: float
    patchiness: float
    patch_mm: float
    core: float
    core_extent: float
    rim: float
    necrosis: float
    necrosis_extent: float
    roughness: float
    cover: float
    edge_mm: float


def wide_look(rng: np.random.Generator, grey: float) -> WideLook:
    """From a faint haze to a bright mass, a dark core in a thin bright shell among them."""
    brightest = max(grey, 1.0)
    has_core, has_necrosis = rng.random() < 0.6, rng.random() < 0.5
    core_extent = float(rng.uniform(0.3, 0.92)) if has_core else 0.0
    return WideLook(
        oedema=brightest * float(1 + np.exp(rng.uniform(np.log(0.2), np.log(1.5)))),
        fade=float(rng.choice([0.0, rng.uniform(0.0, 0.6)])),
        patchiness=float(rng.uniform(0.0, 0.35)),
        patch_mm=float(rng.uniform(4, 16)),
        core=float(rng.uniform(0.5, 1.25)),
        core_extent=core_extent,
        rim=float(rng.choice([0.0, rng.uniform(0.0, 0.8)])),
        necrosis=float(rng.uniform(0.05, 1.0)),
        necrosis_extent=core_extent * float(rng.uniform(0.3, 0.9)) if has_core and has_necrosis else 0.0,
        roughness=float(rng.uniform(0.03, 0.25)),
        cover=float(rng.uniform(0.0, 1.0)),
        edge_mm=float(rng.uniform(0.3, 2.8)),
    )


def paint(
    rng: np.random.Generator, grid: Grid, image: Array, sulci: Array, tumour: Tumour, look: WideLook, contrast: Contrast
) -> None:
    """Replace, in place, the signal inside the tumour; `grid`, `image` and `sulci` are those of its window."""
    rough = smooth_field(rng, grid, 9.0) + np.float32(0.6) * smooth_field(rng, grid, 4.0)
    level = tumour.level + np.float32(look.roughness) * rough
    extra = (look.oedema - 1) * (1 - look.fade * np.clip(level, 0, 1) ** 2)
    signal = (1 + extra) * (1 + np.float32(look.patchiness) * smooth_field(rng, grid, look.patch_mm))
    if look.core_extent > 0:
        core = 1 - smoothstep(level, look.core_extent - 0.06, look.core_extent + 0.06)
        shell = np.exp(-(((level - look.core_extent) / 0.08) ** 2))
        signal = signal * (1 - core * (1 - look.core)) + look.rim * shell
    if look.necrosis_extent > 0:
        dark = 1 - smoothstep(level, look.necrosis_extent - 0.05, look.necrosis_extent + 0.1)
        signal += dark * (look.necrosis * (1 + 0.12 * rough) - signal)
    weight = gaussian_filter(tumour.reference.astype(np.float32), look.edge_mm / grid.step_mm / 1.5)
    wet = sulci * np.float32(1 - look.cover)
    inside = np.maximum(signal, contrast.csf) * (1 - wet) + contrast.csf * wet
    image += (weight * (inside - image)).astype(np.float32)
