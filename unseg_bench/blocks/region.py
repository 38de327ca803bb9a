"""From a probability to a mask: the tumour's place, its outline, its dark insides.

What gives the probability may be a network or a rule: it says where the tumour is, the image says where it ends. Each
step is an option; their sources and what each is worth: docs/methods.md, `synthetic`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from unseg_bench.blocks.asymmetry import Sides, asymmetric_piece
from unseg_bench.blocks.cavities import add_cavities, fill_slices
from unseg_bench.blocks.components import largest_component, surest_component
from unseg_bench.blocks.outline import Outline, on_grid, steepest_outline
from unseg_bench.blocks.resample import resample_to_shape
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.plugins.method import MethodOptions


class RegionOptions(MethodOptions):
    """How a tumour is found in its probability. The numbers were chosen by masks of development patients."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Of the probability."""
    place: Literal["all", "surest", "asymmetric"] = "asymmetric"
    """What is kept of what exceeds the threshold: all; the connected piece with the most probability; or, with the
    most, the piece that is brighter than its mirror image. Bright normal tissue lies on both sides."""
    asymmetry: float = Field(default=0.4, ge=0)
    """How much brighter, in standard deviations of the tissue outside the tumour."""
    outline: Literal["probability", "steepest"] = "steepest"
    """Where it ends: at the threshold of the probability, or where the image's edge is steepest near that."""
    outline_sigmas_mm: tuple[float, ...] = Field(default=(1.2, 1.6, 2.0), min_length=1)
    """Standard deviations of the Gaussians that the edge is sought in; the majority of their outlines is taken."""
    fill_slices: bool = True
    """Fill what the outline encloses in any slice across any axis."""
    cavities: bool = True
    """A dark part joins that has no dark mirror image and that the tumour surrounds for the most part."""

    @field_validator("outline_sigmas_mm")
    @classmethod
    def _some_smoothing(cls, sigmas_mm: tuple[float, ...]) -> tuple[float, ...]:
        if min(sigmas_mm) <= 0:
            raise ValueError("standard deviations in mm are above 0, e.g. 1.6")
        return sigmas_mm


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """How a case's mask came about.

    `place`: the tumour's place on the working grid; `kept`: the probability with 0 in other places; `outlines`: the
    steepest ones; `solid`: the mask before cavities join; `mask`: the answer. The last two on the volume's own grid.
    """

    place: Mask
    kept: Image
    outlines: tuple[Outline, ...]
    solid: Mask
    mask: Mask


def find_region(
    brain: Mask, working: Volume, image: Image, probability: Image, sides: Sides, options: RegionOptions
) -> Region:
    """Return the mask of a case on the grid of `brain` (X, Y, Z), and the steps to it.

    `working`: the volume on an isotropic grid; there `image`, standardised by healthy tissue, the tumour's
    `probability`, and the two `sides`. Without an outline the mask ends at the threshold of the probability.
    """
    place = _place(probability, sides, options, working.spacing_mm[0])
    kept = np.where(place | (probability <= options.threshold), probability, np.float32(0))
    outlines = _outlines(image, working, kept, options) if place.any() else ()
    x, y, z = brain.shape
    if outlines:
        solid = on_grid(outlines, working.brain, brain, working.spacing_mm[0])
    else:
        solid = (resample_to_shape(kept, (x, y, z)) > options.threshold) & brain
    solid = _one(solid, options)
    if options.fill_slices:
        solid = fill_slices(solid) & brain
    mask = solid
    if options.cavities:
        mask = _one(add_cavities(solid, brain, working.brain, sides, working.spacing_mm[0]), options)
    return Region(place, kept, outlines, solid, mask)


def _place(probability: Image, sides: Sides, options: RegionOptions, spacing_mm: float) -> Mask:
    above = probability > options.threshold
    if options.place == "all" or not above.any():
        return above
    if options.place == "surest":
        return surest_component(above, probability, options.threshold)
    return asymmetric_piece(probability, sides, options.asymmetry, spacing_mm, options.threshold)


def _outlines(image: Image, working: Volume, kept: Image, options: RegionOptions) -> tuple[Outline, ...]:
    if options.outline == "probability":
        return ()
    sought = (
        steepest_outline(image, working.brain, kept, sigma_mm, working.spacing_mm[0])
        for sigma_mm in options.outline_sigmas_mm
    )
    return tuple(outline for outline in sought if outline is not None)


def _one(mask: Mask, options: RegionOptions) -> Mask:
    return mask if options.place == "all" else largest_component(mask)
