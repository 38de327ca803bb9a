"""From a proposal to the crop that CLIP sees (the authors' code, `sam_clip.py`), if it may be a tumour at all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.prompts import Box, bounding_box, dilate_box

from .options import CropOptions, FilterOptions
from .pictures import SlicePicture

if TYPE_CHECKING:
    from unseg_bench.blocks.sam.everything import Proposal

Crop: TypeAlias = NDArray[np.uint8]

_DIMMED = 0.5


def keep_plausible(proposals: "Sequence[Proposal]", one: SlicePicture, options: FilterOptions) -> "list[Proposal]":
    """Return the proposals that pass every bound, in their order; masks are on the picture's grid.

    The bounds are priors from anatomy, relative to the slice's brain, and the paper's, relative to the picture.
    """
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
        and (options.max_picture_share is None or area < options.max_picture_share * proposal.mask.size)
        and (options.min_z is None or (covered > 0 and float(one.z[inside].mean()) >= options.min_z))
    )


def cut_crops(
    picture: NDArray[np.uint8], proposals: "list[Proposal]", options: CropOptions
) -> "tuple[list[Proposal], list[Crop]]":
    """Return the proposals that have a crop, and their square crops, in one order.

    Proposals whose box has no pixel left are taken out first, so that masks and crops stay in step.
    """
    boxes = [_box(proposal.mask, options) for proposal in proposals]
    pairs = [(proposal, box) for proposal, box in zip(proposals, boxes, strict=True) if box is not None]
    crops = [_square(_cut(picture, proposal.mask, box, options), options) for proposal, box in pairs]
    return [proposal for proposal, _ in pairs], crops


def _box(mask: NDArray[np.bool_], options: CropOptions) -> Box | None:
    """The box of pixels to cut, both ends inside; None where nothing is left of it."""
    if not mask.any():
        return None
    x0, y0, x1, y1 = bounding_box(mask)
    if not options.last_row:
        x1, y1 = x1 - 1, y1 - 1
    return (x0, y0, x1, y1) if x0 <= x1 and y0 <= y1 else None


def _cut(picture: NDArray[np.uint8], mask: NDArray[np.bool_], box: Box, options: CropOptions) -> Crop:
    rows, columns = picture.shape
    if options.mode == "box":
        box = dilate_box(box, options.margin_px, (rows, columns))
    x0, y0, x1, y1 = box
    window = slice(y0, y1 + 1), slice(x0, x1 + 1)
    if options.mode == "dimmed":
        dimmed = (picture * _DIMMED).astype(np.uint8)
        dimmed[window] = picture[window]
        return dimmed
    return np.where(mask, picture, np.uint8(0))[window] if options.mode == "masked" else picture[window]


def _square(crop: Crop, options: CropOptions) -> Crop:
    """The central square of a crop, or the whole of it on a black square."""
    height, width = crop.shape
    if options.fit == "centre":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return crop[top : top + side, left : left + side]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    canvas = np.zeros((side, side), dtype=np.uint8)
    canvas[top : top + height, left : left + width] = crop
    return canvas
