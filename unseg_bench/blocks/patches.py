"""Training patches cut from whole volumes: what a step gets is a pure function of (seed, step)."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unseg_bench.blocks.augmentation import (
    Window,
    deform,
    draw_deformation,
    reach_of,
    vary_lightly,
    vary_strongly,
)
from unseg_bench.blocks.training import epoch_order, step_generator
from unseg_bench.blocks.unet.options import TURNED_AXES, Augmentation, Orientation
from unseg_bench.blocks.working_cases import Cases, LabelledCase

Scalar = TypeVar("Scalar", bound=np.generic)


def case_order(seed: int, count: int, draw: int) -> int:
    """Return which of `count` cases the draw number `draw` takes: each case once an epoch, in an order per epoch."""
    epoch, place = divmod(draw, count)
    return int(epoch_order(seed, epoch, count)[place])


@dataclass(frozen=True, slots=True)
class PatchSampler:
    """Cuts a batch for a step: `sampler(step)` -> (images (B, 1, *size) float32, labels (B, *size) uint8).

    Volumes smaller than `size` are padded with zeros on both sides. `foreground_share`: probability (0-1) that a patch
    is placed so that it holds a random tumour voxel.
    """

    cases: Cases
    size: Window
    batch_size: int
    seed: int
    foreground_share: float = 0.0
    orientation: Orientation = "as-is"
    augmentation: Augmentation = "none"

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of a step."""
        rng = step_generator(self.seed, step)
        images = np.empty((self.batch_size, 1, *self.size), dtype=np.float32)
        labels = np.empty((self.batch_size, *self.size), dtype=np.uint8)
        for place in range(self.batch_size):
            number = case_order(self.seed, len(self.cases), step * self.batch_size + place)
            patch = self._patch(self.cases[number], rng)
            images[place, 0], labels[place] = patch.image, patch.label
        return torch.from_numpy(images), torch.from_numpy(labels)

    def _patch(self, case: LabelledCase, rng: np.random.Generator) -> LabelledCase:
        start = self._start(case, rng)
        matrix = draw_deformation(case.spacing_mm, rng) if self.augmentation == "strong" else None
        if matrix is None:
            window = _cut_case(case, start, self.size)
        else:
            low, reach = reach_of(matrix, start, self.size)
            offset = np.array(start) + (np.array(self.size) - 1) / 2 - np.array(low)
            window = deform(_cut_case(case, low, reach), matrix, offset, self.size)
        patch = turn(window, self.orientation, rng)
        if self.augmentation == "none":
            return patch
        vary = vary_lightly if self.augmentation == "light" else vary_strongly
        return replace(patch, image=vary(np.ascontiguousarray(patch.image), np.ascontiguousarray(patch.brain), rng))

    def _start(self, case: LabelledCase, rng: np.random.Generator) -> Window:
        """Draw the patch's first voxel (negative where the volume is smaller than the patch)."""
        shape = case.label.shape
        room = [n - size for n, size in zip(shape, self.size, strict=True)]
        start = [int(rng.integers(0, free + 1)) if free > 0 else free // 2 for free in room]
        if rng.random() < self.foreground_share:
            tumour = np.flatnonzero(case.label) if case.tumour is None else case.tumour
            if tumour.size:
                voxel = np.unravel_index(int(tumour[rng.integers(tumour.size)]), shape)
                inside = [int(v) - int(rng.integers(0, size)) for v, size in zip(voxel, self.size, strict=True)]
                start = [min(max(0, a), free) if free > 0 else free // 2 for a, free in zip(inside, room, strict=True)]
        return start[0], start[1], start[2]


def _cut_case(case: LabelledCase, start: Window, size: Window) -> LabelledCase:
    image, label, brain = cut(case.image, start, size), cut(case.label, start, size), cut(case.brain, start, size)
    return LabelledCase(image, label, brain, case.spacing_mm)


def cut(array: NDArray[Scalar], start: Window, size: Window) -> NDArray[Scalar]:
    """Return the window [start, start + size) of `array`: a view where it lies inside, else zero outside."""
    source, target = [], []
    for n, a, length in zip(array.shape, start, size, strict=True):
        low, high = min(max(0, a), n), max(0, min(n, a + length))
        source.append(slice(low, max(low, high)))
        target.append(slice(low - a, max(low, high) - a))
    inside = array[tuple(source)]
    if inside.shape == size:
        return inside
    result = np.zeros(size, dtype=array.dtype)
    result[tuple(target)] = inside
    return result


def turn(patch: LabelledCase, orientation: Orientation, rng: np.random.Generator) -> LabelledCase:
    """Turn image, label and brain alike, as views; what is turned needs equal sides (`TURNED_AXES`)."""
    if orientation == "as-is":
        return patch
    quarter_turns, plane = 0, (0, 1)
    if orientation in TURNED_AXES:
        plane = TURNED_AXES[orientation]
        quarter_turns = int(rng.integers(0, 4))
        mirrored = [plane[int(rng.integers(0, 2))]]
    else:
        axes = (0,) if orientation == "left-right" else (0, 1, 2)
        mirrored = [axis for axis in axes if rng.random() < 0.5]

    def turned(array: NDArray[Scalar]) -> NDArray[Scalar]:
        return np.flip(np.rot90(array, quarter_turns, axes=plane), tuple(mirrored))

    return replace(patch, image=turned(patch.image), label=turned(patch.label), brain=turned(patch.brain))
