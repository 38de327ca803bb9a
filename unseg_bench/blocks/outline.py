"""Where a bright region ends: the level whose outline is steepest, among those that a probability allows.

A network's probability says where a tumour is better than where it ends: its outline follows what it learned of
contrast. The image has the edge itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.asymmetry import near
from unseg_bench.blocks.components import structuring_element
from unseg_bench.blocks.resample import Shape, resample_to_shape
from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.data.volume import Image, Mask

LEVELS = np.arange(-2, 26, dtype=np.float64) / 10
"""Standard deviations above the tissue's mean that are tried: -0.2, -0.1 ... 2.5."""

_SURE = 0.8
_POWER = 1.5
"""Of the soft Dice with the probability, beside the steepness. Chosen by masks of development patients."""
_MOST_OF_BRAIN = 0.35
_BRIDGED_SHARE, _UNLIKELY_SHARE, _UNLIKELY = 0.03, 0.1, 0.3
_LEAST_EDGE = 10
_LEAST_BRAIN = 0.2
"""Share of brain below which a fine voxel's mean over the brain would be made of next to nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A region on an isotropic grid, all (X, Y, Z): its `piece`, and the `smooth` image that exceeds `level` in it.

    `steepness`: mean gradient of `smooth` on the outline, per mm.
    """

    piece: Mask
    smooth: Image
    level: float
    steepness: float


def steepest_outline(
    image: Image, brain: Mask, probability: Image, sigma_mm: float, spacing_mm: float
) -> Outline | None:
    """Return the region above the level with the largest steepness times (soft Dice with `probability`) ** 1.5.

    `image` (X, Y, Z), standardised by healthy tissue, is smoothed by a Gaussian of `sigma_mm`. At each of LEVELS the
    region is the part (6 neighbours) that holds most of what is sure (probability over 0.8, or over 0.8 of the
    highest). Levels whose part is over 35 % of the brain do not count, and neither does the brain's rim as an edge.
    Bridges to what is improbable are cut. None where no level is left.
    """
    from scipy import ndimage

    smooth = smooth_inside(image, brain, sigma_mm, (spacing_mm, spacing_mm, spacing_mm))
    slope = _slope(smooth, spacing_mm)
    cross = structuring_element(6)
    rim = brain & ~_eroded(brain)
    sure = probability > (_SURE if (probability > _SURE).any() else _SURE * float(probability.max()))
    total, most = float(probability.sum()), _MOST_OF_BRAIN * np.count_nonzero(brain)
    best, highest = None, 0.0
    for level in LEVELS:
        labels, count = cast("tuple[NDArray[np.int32], int]", ndimage.label(brain & (smooth > level), cross))
        hits = np.bincount(labels[sure], minlength=count + 1)[1:]
        if not hits.any():
            break
        piece = labels == 1 + int(hits.argmax())
        size = int(np.count_nonzero(piece))
        edge = piece & ~_eroded(piece) & ~rim
        if size > most or np.count_nonzero(edge) < _LEAST_EDGE:
            continue
        steepness = float(slope[edge].mean())
        merit = steepness * (2 * float(probability[piece].sum()) / (total + size)) ** _POWER
        if merit > highest:
            best, highest = Outline(piece, smooth, float(level), steepness), merit
    return None if best is None else _without_bridges(best, probability)


def _slope(image: Image, spacing_mm: float) -> Image:
    """Return the length of the gradient (X, Y, Z) per mm; along an axis of one voxel nothing changes."""
    total = np.zeros_like(image)
    for axis, size in enumerate(image.shape):
        if size > 1:
            total += np.gradient(image, spacing_mm, axis=axis) ** 2
    return np.sqrt(total)


def _eroded(mask: Mask) -> Mask:
    from scipy import ndimage

    return np.asarray(ndimage.binary_erosion(mask, structuring_element(6)), dtype=np.bool_)


def _without_bridges(outline: Outline, probability: Image) -> Outline:
    """Drop what hangs on the region by less than three voxels and is improbable; voxels go to the nearer part."""
    from scipy import ndimage

    piece, cross = outline.piece, structuring_element(6)
    opened = ndimage.binary_opening(piece, cross)
    labels, count = cast("tuple[NDArray[np.int32], int]", ndimage.label(opened, cross))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    likely = np.bincount(labels[probability > _UNLIKELY], minlength=count + 1)
    dropped = (sizes > _BRIDGED_SHARE * sizes[1:].sum()) & (likely < _UNLIKELY_SHARE * sizes)
    dropped[0] = False
    kept = ~dropped
    kept[0] = False
    if not dropped.any() or not kept.any():
        return outline
    to_kept, to_dropped = (np.asarray(ndimage.distance_transform_edt(~part[labels])) for part in (kept, dropped))
    return Outline(piece & (to_kept <= to_dropped), outline.smooth, outline.level, outline.steepness)


def on_grid(outlines: Sequence[Outline], working_brain: Mask, brain: Mask, spacing_mm: float) -> Mask:
    """Return the majority of the outlines on the grid of `brain` (X, Y, Z), as fine as that grid is.

    Each smooth image is interpolated there and cut at its level, within a working voxel of its piece.
    `working_brain`: on the outlines' grid of `spacing_mm`. Raises ValueError without an outline.
    """
    if not outlines:
        raise ValueError("a majority needs at least one outline")
    x, y, z = brain.shape
    shape: Shape = (x, y, z)
    share = np.maximum(resample_to_shape(working_brain.astype(np.float32), shape), np.float32(_LEAST_BRAIN))
    votes = np.zeros(shape, np.uint8)
    for outline in outlines:
        above = np.where(working_brain, outline.smooth - np.float32(outline.level), np.float32(0))
        reach = near(outline.piece, spacing_mm, spacing_mm).astype(np.float32)
        votes += (resample_to_shape(above, shape) / share > 0) & (resample_to_shape(reach, shape) > 0.5) & brain
    return votes * 2 > len(outlines)
