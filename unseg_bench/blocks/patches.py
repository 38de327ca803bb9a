"""Training patches cut from whole volumes: what a step gets is a pure function of (seed, step)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unseg_bench.blocks.training import step_generator
from unseg_bench.blocks.unet_options import Orientation
from unseg_bench.data.volume import Image, Mask

Window: TypeAlias = tuple[int, int, int]

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCase:
    """A volume to learn from, all (X, Y, Z): `image` with 0 outside the brain, `label`, `brain`; memory maps too."""

    image: Image
    label: Mask
    brain: Mask
    spacing_mm: tuple[float, float, float]


def case_order(seed: int, count: int, draw: int) -> int:
    """Return which of `count` cases the draw number `draw` takes: each case once an epoch, in an order per epoch."""
    epoch, place = divmod(draw, count)
    return int(step_generator(seed, -1 - epoch).permutation(count)[place])


@dataclass(frozen=True, slots=True)
class PatchSampler:
    """Cuts a batch for a step: `sampler(step)` -> (images (B, 1, *size) float32, labels (B, *size) int64).

    Volumes smaller than `size` are padded with zeros on both sides. `foreground_share`: probability (0-1) that a patch
    is placed so that it holds a random tumour voxel. `intensity`: vary brightness, contrast, gamma, noise and blur.
    """

    cases: Sequence[LabelledCase]
    size: Window
    batch_size: int
    seed: int
    foreground_share: float = 0.0
    orientation: Orientation = "as-is"
    intensity: bool = False

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of a step."""
        rng = step_generator(self.seed, step)
        draws = range(step * self.batch_size, (step + 1) * self.batch_size)
        patches = [self._patch(self.cases[case_order(self.seed, len(self.cases), draw)], rng) for draw in draws]
        images = np.stack([patch.image for patch in patches])
        labels = np.stack([patch.label for patch in patches])
        return torch.from_numpy(images[:, None]), torch.from_numpy(labels.astype(np.int64))

    def _patch(self, case: LabelledCase, rng: np.random.Generator) -> LabelledCase:
        start = self._start(case.label, rng)
        window = LabelledCase(
            image=cut(case.image, start, self.size),
            label=cut(case.label, start, self.size),
            brain=cut(case.brain, start, self.size),
            spacing_mm=case.spacing_mm,
        )
        patch = turn(window, self.orientation, rng)
        return replace(patch, image=vary_intensity(patch.image, patch.brain, rng)) if self.intensity else patch

    def _start(self, label: Mask, rng: np.random.Generator) -> Window:
        """Draw the patch's first voxel (negative where the volume is smaller than the patch)."""
        room = [n - size for n, size in zip(label.shape, self.size, strict=True)]
        start = [int(rng.integers(0, free + 1)) if free > 0 else free // 2 for free in room]
        if rng.random() < self.foreground_share:
            tumour = np.flatnonzero(label)
            if tumour.size:
                voxel = np.unravel_index(int(rng.choice(tumour)), label.shape)
                inside = [int(v) - int(rng.integers(0, size)) for v, size in zip(voxel, self.size, strict=True)]
                start = [min(max(0, a), free) if free > 0 else free // 2 for a, free in zip(inside, room, strict=True)]
        return start[0], start[1], start[2]


def cut(array: NDArray[Scalar], start: Window, size: Window) -> NDArray[Scalar]:
    """Copy the window [start, start + size) out of `array`; what lies outside the array is zero."""
    result = np.zeros(size, dtype=array.dtype)
    source, target = [], []
    for n, a, length in zip(array.shape, start, size, strict=True):
        low, high = max(0, a), min(n, a + length)
        source.append(slice(low, high))
        target.append(slice(low - a, high - a))
    result[tuple(target)] = array[tuple(source)]
    return result


def turn(patch: LabelledCase, orientation: Orientation, rng: np.random.Generator) -> LabelledCase:
    """Turn image, label and brain alike, as `orientation` allows; 'axial-turns' needs patches as wide as deep."""
    if orientation == "as-is":
        return patch
    quarter_turns = int(rng.integers(0, 4)) if orientation == "axial-turns" else 0
    axis = int(rng.integers(0, 2)) if orientation == "axial-turns" else 0
    mirrored = orientation == "axial-turns" or rng.random() < 0.5

    def turned(array: NDArray[Scalar]) -> NDArray[Scalar]:
        rotated = np.rot90(array, quarter_turns, axes=(0, 1))
        return np.ascontiguousarray(np.flip(rotated, axis) if mirrored else rotated)

    return replace(patch, image=turned(patch.image), label=turned(patch.label), brain=turned(patch.brain))


def vary_intensity(image: Image, brain: Mask, rng: np.random.Generator) -> Image:
    """Return the z-scored image as another scanner might have made it; outside the brain it stays 0.

    Gamma 0.75-1.33 (log-uniform) over the brain's range, contrast +-15 %, shift +-0.15; blur of at most 1 voxel and
    noise of at most 0.15, in a third of the patches each.
    """
    from scipy import ndimage

    gamma, contrast = np.exp(rng.uniform(-0.29, 0.29)), rng.uniform(0.85, 1.15)
    shift, blur, noise = rng.uniform(-0.15, 0.15), rng.uniform(0.3, 1.0), rng.uniform(0.0, 0.15)
    blurred, noisy = rng.random(2) < 1 / 3
    if not brain.any():
        return image
    low, high = np.float32(image[brain].min()), np.float32(image[brain].max())
    scaled = np.clip((image - low) / max(high - low, np.float32(1e-6)), 0, 1)
    varied = (scaled**gamma * (high - low) + low) * contrast + shift
    if blurred:
        varied = ndimage.gaussian_filter(varied, blur)
    if noisy:
        varied = varied + rng.normal(0.0, noise, varied.shape)
    return np.where(brain, varied, 0).astype(np.float32)
