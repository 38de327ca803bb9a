"""From brain z-scores to 8-bit pictures, in the many ways that a user's pipeline may do it."""

import torch
from torch import Tensor

from unseg_bench.blocks.slices import Z_WINDOW

from .fields import chance, smooth_field, uniform


def distort(z: Tensor, brain: Tensor, strength: float, rng: torch.Generator) -> Tensor:
    """Bias field, noise, grain and gain on z-scored slices (N, S, S); `brain` is bool of the same shape."""
    count, size = z.shape[0], z.shape[-1]
    bias = uniform(0.0, 0.25, (count, 1, 1), rng) * smooth_field(count, size, 2, rng)
    noise = uniform(0.0, 0.25, (count, 1, 1), rng) * torch.randn(z.shape, generator=rng)
    grain = uniform(0.0, 0.2, (count, 1, 1), rng) * smooth_field(count, size, 24, rng)
    gain = uniform(0.75, 1.3, (count, 1, 1), rng)
    return torch.where(brain, gain * (z + strength * (bias + grain + noise)), z)


def to_bytes(z: Tensor, brain: Tensor, rng: torch.Generator) -> Tensor:
    """Z-scores (N, S, S) -> pictures of 0 ... 255 (float, whole numbers).

    Half are scaled by a window of z-scores, half from their own minimum to their own (sometimes clipped) maximum;
    then a random gamma. The background is black, now and then the window's grey for z = 0.
    """
    count = z.shape[0]
    low = uniform(-4.0, -1.6, (count, 1, 1), rng)
    high = uniform(2.2, 6.0, (count, 1, 1), rng)
    own_low, own_high = _own_range(z, brain, rng)
    by_slice = chance(0.5, (count, 1, 1), rng)
    low, high = torch.where(by_slice, own_low, low), torch.where(by_slice, own_high, high)
    grey = chance(0.1, (count, 1, 1), rng)
    filled = torch.where(brain, z, torch.where(grey, torch.zeros_like(z), low.expand_as(z)))
    share = ((filled - low) / (high - low).clamp_min(0.5)).clamp(0, 1)
    gamma = torch.exp(uniform(-0.45, 0.45, (count, 1, 1), rng))
    return torch.round(255 * share**gamma)


def to_bytes_as_used(z: Tensor, brain: Tensor, rng: torch.Generator) -> Tensor:
    """Z-scores (N, S, S) -> pictures of 0 ... 255 as `blocks.slices.eight_bit` makes them, hardly disturbed.

    Half by the window of z-scores, half from each slice's own darkest brain to its brightest; black outside.
    """
    count = z.shape[0]
    by_slice = chance(0.5, (count, 1, 1), rng)
    shift, gain = uniform(-0.15, 0.15, (count, 1, 1), rng), uniform(0.9, 1.1, (count, 1, 1), rng)
    own_low = torch.where(brain, z, torch.full_like(z, 9.0)).amin((1, 2), keepdim=True)
    own_high = torch.where(brain, z, torch.full_like(z, -9.0)).amax((1, 2), keepdim=True)
    low = torch.where(by_slice, own_low, Z_WINDOW[0] * gain + shift)
    high = torch.where(by_slice, own_high, Z_WINDOW[1] * gain + shift)
    share = ((z - low) / (high - low).clamp_min(0.5)).clamp(0, 1)
    return torch.round(255 * share * brain)


def _own_range(z: Tensor, brain: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Minimum and maximum of each slice's brain; half of the minima stand for the (lower) background."""
    count = z.shape[0]
    inside_low = torch.where(brain, z, torch.full_like(z, 9.0)).amin((1, 2), keepdim=True)
    inside_high = torch.where(brain, z, torch.full_like(z, -9.0)).amax((1, 2), keepdim=True)
    background = torch.minimum(inside_low, uniform(-4.5, -2.5, (count, 1, 1), rng))
    low = torch.where(chance(0.6, (count, 1, 1), rng), background, inside_low)
    return low, inside_high * uniform(0.8, 1.1, (count, 1, 1), rng)
