"""Batches of simulated samples, and of real cases with pseudo-labels; each a pure function of the step."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unseg_bench import Artifact
from unseg_bench.blocks.patches import case_order
from unseg_bench.blocks.training import step_generator

from .layers import learned_layers, network_input
from .options import Scale
from .samples import Source
from .volumes import Brains


@dataclass(frozen=True, slots=True)
class SimulatedBatches:
    """`batches(step)` -> images (B, 1, X, Y, Z) and the three parts of `Targets`, drawn from (seed, step)."""

    source: Source
    size: int
    seed: int
    scale: Scale

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the batch of a step."""
        rng = step_generator(self.seed, step)
        samples = [self.source.draw(rng) for _ in range(self.size)]
        images = np.stack([network_input(one.mixed, one.brain, self.scale)[None] for one in samples])
        layers = np.stack([learned_layers(one, self.scale) for one in samples])
        mask = np.stack([one.mask for one in samples]).astype(np.float32)
        counted = np.stack([one.counted[None, None] for one in samples]).astype(np.float32)
        return torch.from_numpy(images), torch.from_numpy(layers), torch.from_numpy(mask), torch.from_numpy(counted)


@dataclass(frozen=True, slots=True)
class LabelledBatches:
    """`batches(step)` -> images (B, 1, X, Y, Z) and pseudo-labels (B, X, Y, Z) float; each case once an epoch.

    `labels`: `<case>.label.npy` on the stretched grid.
    """

    brains: Brains
    labels: Artifact
    case_ids: tuple[str, ...]
    size: int
    seed: int
    scale: Scale

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of a step."""
        places = range(step * self.size, (step + 1) * self.size)
        chosen = [self.case_ids[case_order(self.seed, len(self.case_ids), place)] for place in places]
        brains = [self.brains.of(case_id) for case_id in chosen]
        images = np.stack([network_input(one.image, one.brain, self.scale)[None] for one in brains])
        labels = np.stack([self.labels.array(f"{case_id}.label") for case_id in chosen]).astype(np.float32)
        return torch.from_numpy(images), torch.from_numpy(labels)
