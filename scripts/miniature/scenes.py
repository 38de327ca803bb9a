"""Scenes for the miniature SAM: healthy slices, shapes pasted on them, and masks of shapes and of normal anatomy.

No tumour and no tumour mask is used anywhere here. Every scene holds several shapes and only the prompted one is the
answer, so that the prompt, and not the picture, must decide.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from .fields import blur, chance, place, smooth_field, uniform
from .intensity import distort, to_bytes

SIZE = 96
SHAPES = 3
SMALLEST_TARGET = 10


@dataclass(frozen=True)
class Scenes:
    """Pictures (N, S, S) of 0 ... 255 and, for each, the masks (S, S) that may be asked for, by kind."""

    pictures: Tensor
    targets: list[dict[str, list[NDArray[np.bool_]]]]


def make_scenes(healthy: Tensor, darkest_core: float, rng: torch.Generator) -> Scenes:
    """Build one scene on each healthy slice (N, H, H) of brain z-scores, the background marked by -99.

    `darkest_core` is the z-score of the darkest core that a shape may have.
    """
    background, brain = _frame(healthy, rng)
    picture = background
    masks = torch.zeros((len(healthy), SHAPES, SIZE, SIZE), dtype=torch.bool)
    for index in range(SHAPES):
        picture, mask = _paste(picture, background, brain, darkest_core, rng)
        masks[:, :index] &= ~mask[:, None]
        masks[:, index] = mask
    pictures = to_bytes(distort(picture, brain, 1.0, rng), brain, rng)
    shade = blur(background, 1.0).numpy()
    targets = [
        _targets(masks[n].numpy(), shade[n], brain[n].numpy(), np.random.default_rng(_seed(rng)))
        for n in range(len(healthy))
    ]
    return Scenes(pictures, targets)


def _seed(rng: torch.Generator) -> int:
    return int(torch.randint(2**31 - 1, (1,), generator=rng))


def _frame(healthy: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn, mirror and scale the slices into the frame: z-scores (N, S, S), 0 outside, and the brain mask."""
    count = len(healthy)
    known = (healthy > -50).float()
    both = torch.stack([healthy * known, known], 1)
    quarter = torch.randint(4, (1,), generator=rng).item()
    both = torch.rot90(both, int(quarter), (2, 3))
    placed = place(
        both,
        SIZE,
        zoom=uniform(0.75, 1.3, (count,), rng),
        angle=0.25 * torch.randn((count,), generator=rng),
        shift=uniform(-0.12, 0.12, (count, 2), rng),
        flip=chance(0.5, (count,), rng),
    )
    brain = placed[:, 1] > 0.5
    return torch.where(brain, placed[:, 0] / placed[:, 1].clamp_min(0.5), 0.0), brain


def _paste(
    picture: Tensor, tissue: Tensor, brain: Tensor, darkest_core: float, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Paste one random shape into each picture; returns the pictures and the shapes' masks, (N, S, S) both."""
    count = len(picture)
    level = _level_set(tissue, brain, rng)
    mask = (level < 1) & brain
    softness = uniform(0.01, 0.12, (count, 1, 1), rng)
    alpha = torch.sigmoid((1 - level) / softness) * brain
    bright = chance(0.75, (count, 1, 1), rng)
    delta = torch.where(bright, uniform(0.6, 3.5, (count, 1, 1), rng), uniform(-2.2, -0.6, (count, 1, 1), rng))
    cover = uniform(0.1, 1.0, (count, 1, 1), rng)
    texture = 1 + _texture(count, 0.45, rng)
    pasted = (1 - cover * alpha) * picture + alpha * delta * texture
    return _hollow(pasted, level, brain, darkest_core, rng), mask


def _hollow(picture: Tensor, level: Tensor, brain: Tensor, darkest: float, rng: torch.Generator) -> Tensor:
    """Give two thirds of the shapes a core of another intensity: dark, like the tissue, or bright."""
    count = len(picture)
    share = uniform(0.3, 0.85, (count, 1, 1), rng)
    ragged = uniform(0.0, 0.8, (count, 1, 1), rng) * smooth_field(count, SIZE, 9, rng)
    inner = torch.sigmoid((share - level * torch.exp(ragged)) / 0.06) * (level < 1) * brain
    inner = inner * chance(0.66, (count, 1, 1), rng) * uniform(0.5, 1.0, (count, 1, 1), rng)
    tone = uniform(darkest, 2.5, (count, 1, 1), rng) + ragged
    return (1 - inner) * picture + inner * tone


def _texture(count: int, strength: float, rng: torch.Generator) -> Tensor:
    coarse = uniform(0, strength, (count, 1, 1), rng) * smooth_field(count, SIZE, 9, rng)
    return coarse + uniform(0, strength / 2, (count, 1, 1), rng) * torch.randn((count, SIZE, SIZE), generator=rng)


def _level_set(tissue: Tensor, brain: Tensor, rng: torch.Generator) -> Tensor:
    """Distance to a random centre in the brain over a random, noisy, tissue-guided radius: below 1 is the shape."""
    count = len(tissue)
    centre = (torch.rand((count, SIZE * SIZE), generator=rng) * (brain.flatten(1) + 1e-6)).argmax(1)
    rows, columns = (centre // SIZE).float(), (centre % SIZE).float()
    axis = torch.arange(SIZE, dtype=torch.float32)
    y = axis[None, :, None] - rows[:, None, None]
    x = axis[None, None, :] - columns[:, None, None]
    angle = uniform(0, math.pi, (count, 1, 1), rng)
    long, across = x * torch.cos(angle) + y * torch.sin(angle), y * torch.cos(angle) - x * torch.sin(angle)
    radius = torch.exp(uniform(math.log(2.5), math.log(22), (count, 1, 1), rng))
    distance = torch.sqrt(long**2 + (across / uniform(0.5, 1.0, (count, 1, 1), rng)) ** 2) / radius
    rough = sum(
        uniform(0, top, (count, 1, 1), rng) * smooth_field(count, SIZE, cells, rng)
        for cells, top in ((5, 0.4), (14, 0.3))
    )
    guided = uniform(-0.35, 0.35, (count, 1, 1), rng) * blur(tissue, 0.8) * chance(0.6, (count, 1, 1), rng)
    return distance * torch.exp(rough + guided)


def _targets(
    shapes: NDArray[np.bool_], shade: NDArray[np.float32], brain: NDArray[np.bool_], rng: np.random.Generator
) -> dict[str, list[NDArray[np.bool_]]]:
    """The masks that may be asked for in one scene: shapes, parts of normal anatomy, half brains, the brain."""
    found = {"shape": [], "anatomy": [], "half": [], "brain": []}
    for mask in shapes:
        found["shape"] += _components(mask, keep=1)
    free = brain & ~shapes.any(0)
    if free.sum() > 150:
        edges = np.quantile(shade[free], [rng.uniform(0.02, 0.15), rng.uniform(0.85, 0.97)])
        parts = (shade < edges[0]) if rng.random() < 0.5 else (shade > edges[1])
        found["anatomy"] += _components(ndimage.binary_opening(parts & free), keep=3)
    if brain.sum() > 400:
        found["brain"].append(brain)
        found["half"] += _components(brain & _half_plane(brain, rng), keep=1)
    return found


def _components(mask: NDArray[np.bool_], keep: int) -> list[NDArray[np.bool_]]:
    """The `keep` largest connected components of at least SMALLEST_TARGET pixels, their holes filled."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = [int(label) for label in np.argsort(sizes)[::-1][:keep] if sizes[label] >= SMALLEST_TARGET]
    return [ndimage.binary_fill_holes(labels == label) for label in order]


def _half_plane(brain: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """One side of a line near the middle of the brain, at a random angle."""
    rows, columns = np.nonzero(brain)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIZE, :SIZE]
    side = (x - columns.mean()) * np.cos(angle) + (y - rows.mean()) * np.sin(angle)
    return side > rng.uniform(-6, 12)
