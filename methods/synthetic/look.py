"""What the networks see and say of a case in two passes, and how sure a mask is that was made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from unseg_bench import Image, Mask, Volume
from unseg_bench.blocks.asymmetry import SMOOTH_MM, Sides, compare_sides, near
from unseg_bench.blocks.overlap import dice
from unseg_bench.blocks.region import Region
from unseg_bench.blocks.resample import mask_to_shape
from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.blocks.tissue import robust_scores, standardise_by

from .options import SPACING_MM, SyntheticOptions

Predict: TypeAlias = Callable[[Image], Image]
"""The probability of tumour (X, Y, Z) of a standardised image on the working grid."""

BRIGHT_MADS = 2.0
"""Smoothed tissue that is brighter than the brain's median by so many MADs is not what the first pass measures by."""
_UNLIKELY = 0.3
"""Probability up to which tissue counts as outside the tumour in the second pass."""
_LEAST_OUTSIDE = 0.3
"""Share of the brain that must be outside for a second pass."""
_AROUND_MM = 5.0
"""Beside the tumour, so much around it is no guide to the mirror plane."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the networks see and say of a case, on the working grid, (X, Y, Z) each.

    `image`: standardised as the last pass had it, without gain; `first`: the first pass's probability.
    """

    image: Image
    first: Image
    probability: Image
    sides: Sides


def look(working: Volume, predict: Predict, options: SyntheticOptions) -> Look:
    """Ask the networks, twice where the tissue outside the tumour is to be measured by."""
    brain = working.brain
    image, first = _first_pass(working, predict, options)
    probability = first
    outside = brain & (first <= np.float32(_UNLIKELY))
    if options.standardise == "outside-tumour" and outside.sum() >= _LEAST_OUTSIDE * brain.sum():
        plain = standardise_by(working.image, brain, outside & _not_bright(working))
        probability = predict(plain * np.float32(options.gain))
        image = standardise_by(working.image, brain, outside)
    tumour = near(probability > options.threshold, _AROUND_MM, SPACING_MM)
    return Look(image, first, probability, compare_sides(image, brain, tumour, SPACING_MM))


def _first_pass(working: Volume, predict: Predict, options: SyntheticOptions) -> tuple[Image, Image]:
    whole = options.standardise == "brain"
    image = standardise_by(working.image, working.brain, working.brain if whole else _not_bright(working))
    return image, predict(image)


def _not_bright(working: Volume) -> Mask:
    smooth = smooth_inside(working.image, working.brain, SMOOTH_MM, working.spacing_mm)
    return working.brain & (robust_scores(smooth, working.brain) <= BRIGHT_MADS)


def confidence(working: Volume, seen: Look, found: Region, options: SyntheticOptions) -> tuple[float, dict[str, float]]:
    """How sure a case's mask is, 0 to 1, and what that is the mean of; no label is read.

    `edge`: soft Dice of the mask with the probability; `passes`: Dice of both passes' places, where there are two;
    `outlines`: of the outlines of the first and the last smoothing, where there are two. 0 where nothing was found.
    """
    mask = mask_to_shape(found.mask, working.shape)
    total = float(found.kept.sum()) + int(np.count_nonzero(mask))
    parts = {"edge": 2 * float(found.kept[mask].sum()) / total if total else 0.0}
    if options.standardise == "outside-tumour":
        parts["passes"] = dice(seen.first > options.threshold, seen.probability > options.threshold, empty=0.0)
    if options.outline == "steepest" and len(options.outline_sigmas_mm) > 1:
        ends = (found.outlines[0].piece, found.outlines[-1].piece) if found.outlines else (mask & False, mask & False)
        parts["outlines"] = dice(*ends, empty=0.0)
    return (sum(parts.values()) / len(parts) if mask.any() else 0.0), parts
