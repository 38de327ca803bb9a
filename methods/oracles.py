"""Ceilings that look at the answer: what perfect boxes, or the best threshold, would give. They are no methods."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from unseg_bench import CaseCounts, Context, Cost, Image, Mask, Method, MethodOptions, Supervision, Volume, hookimpl
from unseg_bench.blocks.bright import OPENING_MM, BrightRule, ball, bright
from unseg_bench.blocks.components import bounding_box, fill_holes, structuring_element
from unseg_bench.blocks.overlap import best_level, dice
from unseg_bench.blocks.smoothing import smooth_inside

LEVELS = 40
"""So many levels of the opened image are tried, evenly in the logarithm of how many voxels lie above."""
FINER = 13
"""And so many between the neighbours of the best."""


class FilledBox(Method):
    """The reference's tight box of every axial slice, filled: perfect box prompts, and nothing made of them."""

    name = "filled-box"
    ceiling = True
    presets = {"paper": {}, "demo": {}}

    @property
    def supervision(self) -> Supervision:
        """Every case's own mask."""
        return Supervision.PROMPTS_FROM_MASKS

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return a fifth of a second of a core per case."""
        return [Cost("segment", core_s=0.2 * counts.segmented)]

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Fill the boxes as far as there is brain."""
        return fill_boxes(context.labels.mask(volume.case_id, "boxes")) & volume.brain


class BestThresholdOptions(MethodOptions):
    """What the smooth rules are tried with."""

    sigma_mm: float = Field(2.0, ge=0)
    """Standard deviation of the Gaussian over the brain, as `threshold` has it."""


class BestThreshold(Method[BestThresholdOptions]):
    """Each case's own best threshold: bright is tumour, and the case's mask says how bright and by which rule.

    The rules `two-pass` and `steepest` are tried with their own cuts alone.
    """

    name = "best-threshold"
    ceiling = True
    presets = {"paper": {}, "demo": {}}

    @property
    def supervision(self) -> Supervision:
        """Every case's own mask, to choose by."""
        return Supervision.TEST_MASKS

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return seven seconds of a core per case, measured on volumes of BraTS."""
        return [Cost("segment", core_s=7.0 * counts.segmented)]

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the best answer that a rule of `threshold` can give; its rule and level are noted in the log."""
        reference = context.labels.mask(volume.case_id, "choose the threshold")
        best = Answer("nothing", None, float(not reference.any()), volume.empty_mask())
        for answer in answers(volume, reference, self.options.sigma_mm):
            best = answer if answer.dsc > best.dsc else best
        context.note("threshold", {"case": volume.case_id, "rule": best.rule, "at_least": best.level, "dsc": best.dsc})
        return best.mask


@dataclass(frozen=True, slots=True)
class Answer:
    """A mask (X, Y, Z) with its Dice, by which rule it was made, and the level that it takes voxels from."""

    rule: str
    level: float | None
    dsc: float
    mask: Mask


def answers(volume: Volume, reference: Mask, sigma_mm: float) -> Iterator[Answer]:
    """Yield what `threshold` would answer by each of its rules as it is, then the best of other cuts.

    Of the image and of the smoothed image: the best of all levels as it is; and, after the opening, the best component
    or the largest, its holes filled or not, over LEVELS levels and FINER beside the best.
    """
    if not reference.any() or not volume.brain.any():
        return
    for rule in get_args(BrightRule):
        mask = bright(volume, rule, None, sigma_mm)
        yield Answer(rule, None, dice(mask, reference, empty=0.0), mask)
    smooth = smooth_inside(volume.image, volume.brain, sigma_mm, volume.spacing_mm)
    for name, image in (("image", volume.image), ("smooth", smooth)):
        level, dsc = best_level(image[volume.brain], reference[volume.brain], int(reference.sum()))
        if level is not None:
            yield Answer(name, level, dsc, volume.brain & (image >= np.float32(level)))
        yield from _opened(name, image, volume, reference)


def _opened(name: str, image: Image, volume: Volume, reference: Mask) -> Iterator[Answer]:
    """Yield the best component of the opened image over the levels that are tried.

    Opening what lies above a level is the same as what lies above it in the image's grey opening.
    """
    from scipy import ndimage

    box, footprint = bounding_box(volume.brain), ball(OPENING_MM, volume.spacing_mm)
    assert box is not None  # noqa: S101 - there is brain
    opened = np.where(volume.brain, image, -np.inf).astype(np.float32)[box]
    for step in (ndimage.grey_erosion, ndimage.grey_dilation):
        opened = np.asarray(step(opened, footprint=footprint, mode="constant", cval=-np.inf), np.float32)
    ranked = np.sort(opened[np.isfinite(opened)])[::-1]
    if not ranked.size:
        return
    inside, positives = reference[box], int(reference.sum())
    few = min(max(1, positives // 10), ranked.size)
    ranks = np.unique(np.geomspace(few, ranked.size, LEVELS).astype(int)) - 1
    best = Answer("", None, -1.0, inside)
    at = 0
    for number, rank in enumerate(ranks):
        answer, bound = _best_component(name, float(ranked[rank]), opened, inside, positives)
        if answer.dsc > best.dsc:
            best, at = answer, number
        if bound < best.dsc:
            break
    for rank in np.unique(np.linspace(ranks[max(at - 1, 0)], ranks[min(at + 1, len(ranks) - 1)], FINER).astype(int)):
        answer, _ = _best_component(name, float(ranked[rank]), opened, inside, positives)
        best = answer if answer.dsc > best.dsc else best
    whole = np.zeros_like(reference)
    whole[box] = best.mask
    yield replace(best, mask=whole)


def _best_component(name: str, level: float, opened: Image, inside: Mask, positives: int) -> tuple[Answer, float]:
    """Return the best of the component with the best Dice and the largest, each with its holes filled and not.

    With it a bound: no lower level gives a better Dice. Components only grow there, and what is not in the large ones
    can find no more than the tumour's rest. `inside`: the reference in the box, of whose `positives` some may lie
    outside.
    """
    from scipy import ndimage

    above = opened >= np.float32(level)
    labels, count = cast("tuple[NDArray[np.int32], int]", ndimage.label(above, structuring_element(26)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    hits = np.bincount(labels[inside], minlength=count + 1)[1:]
    best = Answer("", level, -1.0, inside)
    for component in dict.fromkeys((int((2 * hits / (sizes + positives)).argmax()), int(sizes.argmax()))):
        mask = labels == component + 1
        for rule, own in (("opened", mask), ("opened, filled", fill_holes(mask))):
            dsc = 2 * int((own & inside).sum()) / (int(own.sum()) + positives)
            if dsc > best.dsc:
                best = Answer(f"{name}, {rule}", level, dsc, own)
    large = sizes > positives * (2 / best.dsc - 1) if best.dsc > 0 else np.zeros(count, dtype=np.bool_)
    rest = positives - int(hits[large].sum())
    return best, 2 * rest / (rest + positives)


def fill_boxes(mask: Mask) -> Mask:
    """Return, per axial slice of a mask (X, Y, Z), the smallest box that holds it, filled; empty slices stay empty."""
    columns, rows = (_between(np.asarray(mask.any(axis=axis))) for axis in (1, 0))
    return columns[:, None, :] & rows[None, :, :]


def _between(present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return, along the first axis, all from the first to the last True."""
    from_the_left = np.logical_or.accumulate(present, axis=0)
    from_the_right = np.logical_or.accumulate(present[::-1], axis=0)[::-1]
    return from_the_left & from_the_right


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register the ceilings."""
    return [FilledBox, BestThreshold]
