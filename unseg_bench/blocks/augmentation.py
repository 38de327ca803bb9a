"""Patches as another scanner or another head might have given them; all drawn from the generator that is passed."""

from typing import TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from unseg_bench.blocks.rotation import Matrix, turn_by
from unseg_bench.blocks.working_cases import LabelledCase
from unseg_bench.data.volume import Image, Mask

Window: TypeAlias = tuple[int, int, int]


def vary_lightly(image: Image, brain: Mask, rng: np.random.Generator) -> Image:
    """Return the z-scored image as another scanner might have made it; outside the brain it stays 0.

    Gamma 0.75-1.33 (log-uniform) over the brain's range, contrast +-15 %, shift +-0.15; blur of at most 1 voxel and
    noise of at most 0.15, in a third of the patches each.
    """
    gamma, contrast = np.exp(rng.uniform(-0.29, 0.29)), rng.uniform(0.85, 1.15)
    shift, sigma, noise = rng.uniform(-0.15, 0.15), rng.uniform(0.3, 1.0), rng.uniform(0.0, 0.15)
    blurred, noisy = rng.random(2) < 1 / 3
    if not brain.any():
        return image
    varied = _gamma(image, brain, gamma) * np.float32(contrast) + np.float32(shift)
    if blurred:
        varied = _blur(varied, sigma)
    if noisy:
        varied = varied + _noise(varied.shape, noise, rng)
    return np.where(brain, varied, 0).astype(np.float32)


def vary_strongly(image: Image, brain: Mask, rng: np.random.Generator) -> Image:
    """Return the z-scored image with nnU-Net's default changes of intensity; outside the brain it stays 0.

    In order, with its probability each: noise (0.1; variance up to 0.1), blur (0.1; sigma 0.5-1 voxel), brightness
    (0.15; times 0.75-1.25), contrast (0.15; 0.75-1.25 about the mean, within the range), low resolution (0.125; 0.5-1
    of the voxels an axis), gamma of the inverted image (0.1) and gamma (0.3; both 0.7-1.5, mean and deviation kept).
    Source: Isensee et al., Nature Methods 2021, and its code's defaults for one channel.
    """
    chosen = rng.random(7) < (0.1, 0.1, 0.15, 0.15, 0.125, 0.1, 0.3)
    variance, sigma, scale = rng.uniform(0.0, 0.1), rng.uniform(0.5, 1.0), rng.uniform(0.5, 1.0)
    brightness, contrast = (np.float32(rng.uniform(0.75, 1.25)) for _ in range(2))
    gammas = [rng.uniform(0.7, 1.0) if rng.random() < 0.5 else rng.uniform(1.0, 1.5) for _ in range(2)]
    if not brain.any():
        return image
    if chosen[0]:
        image = image + _noise(image.shape, variance**0.5, rng)
    if chosen[1]:
        image = _blur(image, sigma)
    if chosen[2]:
        image = image * brightness
    if chosen[3]:
        image = _contrast(image, brain, contrast)
    if chosen[4]:
        image = _coarsen(image, scale)
    for inverted, gamma in zip((True, False), gammas, strict=True):
        if chosen[5 if inverted else 6]:
            image = _gamma_of_same_moments(image, brain, gamma, -1 if inverted else 1)
    return np.where(brain, image, np.float32(0))


def draw_deformation(spacing_mm: tuple[float, float, float], rng: np.random.Generator) -> Matrix | None:
    """Draw the matrix (3, 3), patch voxels -> volume voxels about the patch's centre, of nnU-Net's turns and scaling.

    Turned by up to 30 degrees about each axis (probability 0.2), scaled by 0.7-1.4 (0.2); None: neither.
    """
    turned, scaled = rng.random(2) < 0.2
    angles, factor = rng.uniform(-np.pi / 6, np.pi / 6, 3), rng.uniform(0.7, 1.4)
    if not (turned or scaled):
        return None
    matrix = np.eye(3) * (factor if scaled else 1.0)
    if turned:
        matrix = turn_by(matrix, angles)
    spacing = np.array(spacing_mm)
    return matrix * spacing[None, :] / spacing[:, None]


def reach_of(matrix: Matrix, start: Window, size: Window) -> tuple[Window, Window]:
    """Return the window (start, size) of the volume that a deformed patch can see."""
    half = (np.array(size) - 1) / 2
    centre, reach = np.array(start) + half, np.abs(matrix) @ half
    low, high = np.floor(centre - reach).astype(int), np.ceil(centre + reach).astype(int)
    (x, y, z), (nx, ny, nz) = low.tolist(), (high - low + 1).tolist()
    return (x, y, z), (nx, ny, nz)


def deform(seen: LabelledCase, matrix: Matrix, offset: NDArray[np.float64], size: Window) -> LabelledCase:
    """Sample a patch of `size` from the window `seen`, trilinearly; masks are True where they exceed one half.

    `offset`: the patch's centre in voxels of the window.
    """
    window = np.array(seen.image.shape)
    half_out, half_in = np.maximum((np.array(size) - 1) / 2, 0.5), np.maximum((window - 1) / 2, 0.5)
    theta = np.concatenate([matrix * half_out / half_in[:, None], ((offset - half_in) / half_in)[:, None]], axis=1)
    theta = np.concatenate([theta[::-1, 2::-1], theta[::-1, 3:]], axis=1)
    grid = F.affine_grid(torch.from_numpy(theta[None].astype(np.float32)), [1, 1, *size], align_corners=True)
    stack = torch.from_numpy(np.stack([seen.image, seen.label, seen.brain]).astype(np.float32))
    image, label, brain = F.grid_sample(stack[None], grid, align_corners=True)[0].numpy()
    return LabelledCase(np.where(brain > 0.5, image, np.float32(0)), label > 0.5, brain > 0.5, seen.spacing_mm)


def _noise(shape: tuple[int, ...], deviation: float, rng: np.random.Generator) -> Image:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def _blur(image: Image, sigma: float) -> Image:
    from scipy import ndimage

    return cast(Image, ndimage.gaussian_filter(image, sigma))


def _gamma(image: Image, brain: Mask, gamma: float) -> Image:
    """Raise the brain's range, as 0 ... 1, to the power of `gamma`."""
    low, high = np.float32(image[brain].min()), np.float32(image[brain].max())
    scaled = np.clip((image - low) / max(high - low, np.float32(1e-6)), 0, 1)
    return scaled ** np.float32(gamma) * (high - low) + low


def _gamma_of_same_moments(image: Image, brain: Mask, gamma: float, sign: int) -> Image:
    """Gamma of the image (sign 1) or its negative (-1), with the brain's mean and deviation as before."""
    inside = image[brain]
    varied = np.float32(sign) * _gamma(np.float32(sign) * image, brain, gamma)
    now = varied[brain]
    return (varied - now.mean()) * np.float32(inside.std() / max(now.std(), 1e-6)) + inside.mean()


def _contrast(image: Image, brain: Mask, factor: np.float32) -> Image:
    inside = image[brain]
    return np.clip((image - inside.mean()) * factor + inside.mean(), inside.min(), inside.max())


def _coarsen(image: Image, scale: float) -> Image:
    """Take fewer voxels, and interpolate between them."""
    volume = torch.from_numpy(np.ascontiguousarray(image))[None, None]
    size = [max(1, round(n * scale)) for n in image.shape]
    small = F.interpolate(volume, size, mode="nearest-exact")
    return F.interpolate(small, image.shape, mode="trilinear", align_corners=False)[0, 0].numpy()
