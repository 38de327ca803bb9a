"""Simulated samples: an image with a tumour, the same without, and the tumour; each a pure function of a generator."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Artifact, Image, Mask
from unseg_bench.blocks.simulated_tumours.simulate import simulate

from .options import SimulationOptions
from .volumes import Brain, Brains

PAIRS = "pairs.json"

_STEPS_OF_A_DEVIATION = np.float32(100)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An image taken apart: mixed = mask * tumour + (1 - mask) * normal, (X, Y, Z) in positive intensities.

    `counted`: (Z,) bool, the axial slices on which that is all that is abnormal. With phantoms the identity holds
    inside the mask alone, since a tumour shifts what surrounds it.
    """

    mixed: Image
    normal: Image
    tumour: Image
    mask: Mask
    brain: Mask
    counted: NDArray[np.bool_]


class Source(Protocol):
    """Where samples come from."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return a sample that depends on the generator's state alone."""
        ...


@dataclass(frozen=True, slots=True)
class Mixing:
    """The published simulator: tissue of a donor is blended into a normal brain, both drawn uniformly."""

    normals: Brains
    donors: Brains
    options: SimulationOptions

    def draw(self, rng: np.random.Generator) -> Sample:
        """Draw normal, donor and tumour; its centre lies in a normal slice, and its mask in normal slices alone."""
        one, other = self._drawn(self.normals, rng), self._drawn(self.donors, rng)
        allowed = one.brain & one.normal
        made = simulate(
            rng, self._cast(one.image), one.brain, self._cast(other.image), other.brain, one.spacing_mm,
            self.options.mixing, allowed=None if one.normal.all() else allowed,
        )  # fmt: skip
        mask = made.mask & one.normal
        mixed = np.where(mask, made.mixed, made.normal)
        return Sample(mixed, made.normal, made.tumour * mask, mask, one.brain, one.normal)

    @staticmethod
    def _drawn(brains: Brains, rng: np.random.Generator) -> Brain:
        return brains[int(rng.integers(len(brains)))]

    def _cast(self, image: Image) -> Image:
        if not self.options.whole_numbers:
            return image
        return np.asarray(np.trunc(image * _STEPS_OF_A_DEVIATION) / _STEPS_OF_A_DEVIATION, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs that a stage wrote: `<number>.<part>.npy`, their numbers in `numbers`."""

    artifact: Artifact
    numbers: range

    def draw(self, rng: np.random.Generator) -> Sample:
        """Draw a pair, and whether it is mirrored left to right."""
        number, mirrored = self.numbers[int(rng.integers(len(self.numbers)))], bool(rng.integers(2))

        def part(name: str) -> NDArray[np.generic]:
            array = np.asarray(self.artifact.array(f"{number}.{name}"))
            return array[::-1] if mirrored else array

        mixed, normal = (part(name).astype(np.float32) for name in ("mixed", "normal"))
        mask, brain = part("mask").astype(np.bool_), part("brain").astype(np.bool_)
        return Sample(mixed, normal, mixed * mask, mask, brain, np.ones(mask.shape[2], dtype=np.bool_))


def source_of(options: SimulationOptions, made_of: Mapping[str, Artifact], *, held_out: bool) -> Source:
    """Return the samples to learn from, or, `held_out`, those that none was learned from.

    `made_of`: stretched brains, 'normals', 'held_out' normals and 'donors'; or 'pairs' of phantoms, of which the last
    tenth is held out.
    """
    if "pairs" in made_of:
        count = int(json.loads(made_of["pairs"].path(PAIRS).read_text(encoding="utf-8"))["pairs"])
        first = count - max(1, count // 10)
        return Pairs(made_of["pairs"], range(first, count) if held_out else range(first))
    return Mixing(Brains(made_of["held_out" if held_out else "normals"]), Brains(made_of["donors"]), options)
