"""Heads as other people, scanners and skull-strippers would have given them; drawn anew for each training step."""

from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unseg_bench import Mask
from unseg_bench.blocks.rotation import turn_by
from unseg_bench.blocks.training import step_generator
from unseg_bench.blocks.unet.options import Size
from unseg_bench.blocks.working_cases import Cases, LabelledCase

from .options import SPACING_MM

Volume: TypeAlias = Tensor
"""(X, Y, Z) float32."""

UNSURE = 2
"""Label of voxels that a loss must not look at."""

CLIP = (0.1, 99.9)
"""Percentiles of the brain that intensities are cut at, in training and in use."""


def standardise(image: Volume, brain: Tensor, percentiles: tuple[float, float] = CLIP) -> Volume:
    """Cut the image at percentiles of the brain, then mean 0 and deviation 1 inside it, 0 outside."""
    inside = image[brain]
    if not inside.numel():
        return torch.zeros_like(image)
    low, high = np.percentile(inside.numpy(), percentiles)
    cut = image.clamp(float(low), float(high))
    inside = cut[brain]
    return torch.where(brain, (cut - inside.mean()) / inside.std().clamp_min(1e-6), 0)


class VariedHeads:
    """A batch for a step: `heads(step)` -> (images (B, 1, *size) float32, labels (B, *size) uint8).

    Each sample is a head of `cases`, moved, bent, mirrored and rescanned at random; a pure function of (seed, step).
    """

    def __init__(self, cases: Cases, size: Size, batch: int, seed: int) -> None:
        self._cases, self._size, self._batch, self._seed = cases, size, batch, seed

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of a step."""
        rng = step_generator(self._seed, step)
        numbers = rng.integers(0, len(self._cases), self._batch)
        pairs = [vary(self._cases[int(number)], self._size, rng) for number in numbers]
        return torch.stack([image for image, _ in pairs])[:, None], torch.stack([label for _, label in pairs])


def vary(case: LabelledCase, size: Size, rng: np.random.Generator, unsure: Mask | None = None) -> tuple[Volume, Tensor]:
    """Return (image, label) of `size` voxels of SPACING_MM around the middle of the case's brain; label 1 is tumour.

    Where `unsure` (the case's shape) holds, the label is UNSURE, here and after any move.
    """
    maps = [case.image, case.label, case.brain, *([] if unsure is None else [unsure])]
    parts = np.stack([np.asarray(part, np.float32) for part in maps])
    sampled = F.grid_sample(torch.from_numpy(parts)[None], _positions(case, size, rng), align_corners=True)[0]
    brain = _strip(sampled[2], rng)
    label = ((sampled[1] > 0.5) & brain).to(torch.uint8)
    if unsure is not None:
        label[(sampled[3] > 0.1) & brain] = UNSURE
    # Near the outline interpolation mixes in the empty outside; the share of brain undoes it.
    image = sampled[0] / sampled[2].clamp_min(0.2)
    image = standardise(_rescan(standardise(image, brain), brain, rng), brain, _percentiles(rng))
    scale, shift = float(np.exp(rng.normal(0, 0.12))), float(rng.normal(0, 0.12))
    return torch.where(brain, image * scale + shift, 0), label


def _percentiles(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.uniform(0, 0.5)), float(rng.uniform(99.5, 100))


def _positions(case: LabelledCase, size: Size, rng: np.random.Generator) -> Tensor:
    """Where the sample's voxels lie in the case, (1, *size, 3) for `grid_sample`."""
    shape = np.array(case.brain.shape)
    occupied = [np.flatnonzero(case.brain.any(tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    centre = np.array([(places[0] + places[-1]) / 2 for places in occupied]) + rng.normal(0, 3.5, 3)
    mirrored = 1 - 2 * (rng.random() < 0.5)
    matrix = turn_by(np.eye(3), rng.normal(0, 0.13, 3))
    matrix = matrix @ np.diag(np.exp(rng.normal(0, 0.05, 3) + rng.normal(0.02, 0.09)))
    matrix = matrix @ (np.eye(3) + rng.normal(0, 0.04, (3, 3)) * (1 - np.eye(3))) @ np.diag([mirrored, 1, 1])
    matrix = np.diag(SPACING_MM / np.array(case.spacing_mm)) @ matrix
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in size]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    bend = torch.from_numpy(rng.normal(0, 1, (1, 3, 7, 8, 7)).astype(np.float32)) * float(rng.uniform(0, 2.2))
    bend = F.interpolate(bend, size, mode="trilinear", align_corners=True)[0].permute(1, 2, 3, 0)
    turned = offsets @ torch.from_numpy(matrix.T.astype(np.float32))
    places = turned + bend + torch.from_numpy(centre.astype(np.float32))
    scaled = places / torch.from_numpy(((shape - 1) / 2).astype(np.float32)) - 1
    return scaled.flip(-1)[None]


def _strip(brain: Volume, rng: np.random.Generator) -> Tensor:
    """The brain as another stripping might have cut it: eaten into by up to two voxels, or ended by a plane."""
    inside = brain > 0.5
    if rng.random() < 0.4:
        depth = brain
        for _ in range(int(rng.integers(1, 3))):
            depth = _smooth(depth, (1.0, 1.0, 1.0))
        field = _field(rng, brain.shape, (8, 10, 8))
        inside &= depth > 0.55 + 0.25 * field.clamp(-1, 1.6)
    if rng.random() < 0.25:
        normal = np.array([[0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])[int(rng.integers(4))] + rng.normal(0, 0.12, 3)
        axes = [torch.linspace(-1, 1, n) * float(k) for n, k in zip(brain.shape, normal, strict=True)]
        height = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
        inside &= height < float(rng.uniform(0.3, 0.9))
    return inside


def _rescan(image: Volume, brain: Tensor, rng: np.random.Generator) -> Volume:
    """Change tissue contrast, sharpness, slice thickness, bias and noise of a standardised image."""
    if rng.random() < 0.6:
        image = _remap(image, rng)
    if rng.random() < 0.3:
        image = image + float(rng.uniform(0.02, 0.3)) * _field(rng, image.shape, (12, 14, 12))
    if rng.random() < 0.5:
        image = image + float(rng.uniform(0.05, 0.35)) * _field(rng, image.shape, (3, 4, 3))
    if rng.random() < 0.3:
        image = image + float(rng.uniform(0.3, 1.2)) * (image - _smooth(image, (1.0, 1.0, 1.0)))
    elif rng.random() < 0.4:
        image = _smooth(image, tuple(rng.uniform(0.2, 1.0, 3)))
    if rng.random() < 0.35:
        image = _thick_slices(image, int(rng.choice(3, p=[0.2, 0.3, 0.5])), int(rng.integers(2, 4)))
    if rng.random() < 0.6:
        noise = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
        noise = noise * float(np.exp(rng.uniform(-4.5, -1.4)))
        grain = float(rng.uniform(0, 0.8))
        image = image + (noise if grain < 0.3 else 1.5 * _smooth(noise, (grain, grain, grain)))
    return torch.where(brain, image, 0)


def _remap(image: Volume, rng: np.random.Generator) -> Volume:
    """Pass intensities through a random rising curve: seven knots from -4 to 6 deviations, steps of uneven size."""
    knots = np.linspace(-4, 6, 7)
    steps = np.exp(rng.normal(0, 0.45, 6))
    values = np.concatenate([[0.0], np.cumsum(steps)])
    curve = np.interp(image.numpy(), knots, values)
    return torch.from_numpy(curve.astype(np.float32))


def _thick_slices(image: Volume, axis: int, factor: int) -> Volume:
    """Average `factor` slices along an axis into one, and interpolate between those."""
    size = list(image.shape)
    few = size.copy()
    few[axis] = -(-size[axis] // factor)
    thick = F.adaptive_avg_pool3d(image[None, None], (few[0], few[1], few[2]))
    return F.interpolate(thick, size, mode="trilinear", align_corners=False)[0, 0]


def _field(rng: np.random.Generator, shape: torch.Size, knots: tuple[int, int, int]) -> Volume:
    """A smooth random field of deviation 1 at its knots."""
    values = torch.from_numpy(rng.standard_normal(knots, dtype=np.float32))[None, None]
    return F.interpolate(values, list(shape), mode="trilinear", align_corners=True)[0, 0]


def _smooth(image: Volume, sigmas: tuple[float, ...]) -> Volume:
    """Gaussian of the given deviations in voxels, cut at two voxels, along each axis."""
    result = image[None, None]
    for axis, sigma in enumerate(sigmas):
        places = torch.arange(-2, 3, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (places / max(float(sigma), 0.1)) ** 2)
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = 5
        padding = [0, 0, 0]
        padding[axis] = 2
        result = F.conv3d(result, (kernel / kernel.sum()).reshape(shape), padding=tuple(padding))
    return result[0, 0]
