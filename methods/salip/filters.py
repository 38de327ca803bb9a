"""Which proposals may be a tumour at all: priors from anatomy, relative to the brain of the slice, and no label."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .options import FilterOptions
from .pictures import SlicePicture

if TYPE_CHECKING:
    from unseg_bench.blocks.sam.everything import Proposal


def keep_plausible(proposals: "Sequence[Proposal]", one: SlicePicture, options: FilterOptions) -> "list[Proposal]":
    """Return the proposals that pass every bound, in their order; masks are on the picture's grid."""
    return [proposal for proposal in proposals if _plausible(proposal, one, options)]


def _plausible(proposal: "Proposal", one: SlicePicture, options: FilterOptions) -> bool:
    """Areas count all pixels of a mask, those outside the brain too; the gate looks at those inside."""
    inside = proposal.mask & one.brain
    area, covered, brain = (int(mask.sum()) for mask in (proposal.mask, inside, one.brain))
    if not area or not brain:
        return False
    return (
        options.min_area <= area / brain <= options.max_area
        and covered / area >= options.min_inside
        and covered / brain <= options.max_cover
        and (options.min_z is None or (covered > 0 and float(one.z[inside].mean()) >= options.min_z))
    )
