"""Random fields and batched geometry on images of (N, C, S, S), in torch."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample, interpolate


def uniform(low: float, high: float, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Uniform numbers between `low` and `high`."""
    return low + (high - low) * torch.rand(shape, generator=rng)


def chance(probability: float, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """True with the given probability."""
    return torch.rand(shape, generator=rng) < probability


def smooth_field(count: int, size: int, cells: int, rng: torch.Generator) -> Tensor:
    """Smooth noise of unit deviation, (count, size, size), with about `cells` grains along a side."""
    coarse = torch.randn((count, 1, cells + 3, cells + 3), generator=rng)
    half = interpolate(coarse, size=(size // 2 + 4, size // 2 + 4), mode="bicubic", align_corners=False)
    half = (half - half.mean((2, 3), keepdim=True)) / half.std((2, 3), keepdim=True)
    return interpolate(half[:, :, 2:-2, 2:-2], size=(size, size), mode="bilinear", align_corners=False)[:, 0]


def blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (N, S, S) by `sigma` pixels."""
    radius = max(1, math.ceil(2.5 * sigma))
    positions = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(positions**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    blurred = conv2d(images[:, None], kernel[None, None, :, None], padding=(radius, 0))
    return conv2d(blurred, kernel[None, None, None, :], padding=(0, radius))[:, 0]


def place(images: Tensor, size: int, zoom: Tensor, angle: Tensor, shift: Tensor, flip: Tensor) -> Tensor:
    """Put (N, C, H, H) into a frame of (N, C, size, size), background 0.

    `zoom` is the share of the frame that the whole input fills, `angle` in radians, `shift` (N, 2) in half frames;
    `flip` mirrors the first axis of the picture's two.
    """
    cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    mirror = torch.where(flip, -1.0, 1.0)
    rows = torch.stack(
        [
            torch.stack([cosine, -sine, shift[:, 0]], 1),
            torch.stack([sine * mirror, cosine * mirror, shift[:, 1]], 1),
        ],
        1,
    )
    grid = affine_grid(rows, [images.shape[0], images.shape[1], size, size], align_corners=False)
    return grid_sample(images, grid, padding_mode="zeros", align_corners=False)


def to_square(slices: Tensor, side: int) -> Tensor:
    """Zero-pad (or crop) the last two axes to (side, side), centred."""
    for axis in (-2, -1):
        length = slices.shape[axis]
        if length > side:
            slices = slices.narrow(axis, (length - side) // 2, side)
        missing = side - slices.shape[axis]
        before, after = missing // 2, missing - missing // 2
        pads = (before, after, 0, 0) if axis == -1 else (0, 0, before, after)
        slices = torch.nn.functional.pad(slices, pads)
    return slices
