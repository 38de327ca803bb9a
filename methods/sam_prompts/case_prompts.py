"""Which slices of a case are prompted, and with what."""

import hashlib
from typing import TypeAlias

import numpy as np

from unseg_bench import Mask, Volume
from unseg_bench.blocks.prompts import Prompt
from unseg_bench.blocks.slices import brain_slices, to_pictures

from .options import Slices
from .protocols import Protocol, make_prompts

Prompts: TypeAlias = dict[int, list[Prompt]]
"""By axial slice."""


def prompt_case(volume: Volume, source: Mask, protocol: Protocol, slices: Slices, seed: int) -> Prompts:
    """Return the prompts by axial slice; slices that are not asked about are missing.

    `source` is the mask (X, Y, Z) that prompts are taken from, on the volume's grid. Chance is drawn anew from the
    run's seed, the case and the slice, so no case depends on others.
    """
    chosen = region_slices(volume, source, slices)
    regions = to_pictures(source)
    pixel_mm = volume.spacing_mm[:2]
    case = int.from_bytes(hashlib.sha256(volume.case_id.encode()).digest()[:8])
    prompts = {
        index: make_prompts(protocol, regions[taken_from], pixel_mm, np.random.default_rng([seed, case, index]))
        for index, taken_from in chosen.items()
    }
    return {index: asked for index, asked in prompts.items() if asked}


def region_slices(volume: Volume, source: Mask, slices: Slices) -> dict[int, int]:
    """Return, by prompted axial slice, the slice whose region prompts it: 'tumour', its own; 'all', the nearest one.

    Of two tumour slices equally near the lower one is taken. Empty where the mask is.
    """
    tumour = np.flatnonzero(source.any(axis=(0, 1)))
    if slices == "tumour" or not tumour.size:
        return {int(index): int(index) for index in tumour}
    every = np.union1d(brain_slices(volume.brain), tumour)
    nearest = tumour[np.abs(every[:, None] - tumour[None, :]).argmin(axis=1)]
    return {int(index): int(near) for index, near in zip(every, nearest, strict=True)}
