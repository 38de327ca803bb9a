"""Ceilings that look at the answer: what perfect boxes, or the best threshold, would give. They are no methods."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method, MethodOptions


class FilledBox(Method):
    """The reference's tight box of every axial slice, filled: perfect box prompts, and nothing made of them."""

    name = "filled-box"
    supervision = Supervision.PROMPTS_FROM_MASKS
    ceiling = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "demo": {}}

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Fill the boxes as far as there is brain."""
        return fill_boxes(context.labels.mask(volume.case_id, "boxes")) & volume.brain


class BestThresholdOptions(MethodOptions):
    """What is thresholded, and what is kept of it."""

    sigma_mm: float = Field(0.0, ge=0)
    """Standard deviation of a Gaussian over the brain before the threshold, as in threshold's smooth rules; 0: none."""
    largest: bool = False
    """Keep the largest component (26 neighbours) only; the threshold is chosen without that."""


class BestThreshold(Method):
    """Each case's own best threshold: bright is tumour, and the case's mask says how bright."""

    name = "best-threshold"
    supervision = Supervision.TEST_MASKS
    ceiling = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "demo": {}}
    Options = BestThresholdOptions
    options: BestThresholdOptions

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Call tumour what is at least as bright as the best threshold, which is noted in the log."""
        from unseg_bench.blocks.components import largest_component
        from unseg_bench.blocks.smoothing import smooth_inside

        reference = context.labels.mask(volume.case_id, "choose the threshold")
        image = volume.image
        if self.options.sigma_mm > 0:
            image = smooth_inside(image, volume.brain, self.options.sigma_mm, volume.spacing_mm)
        level, dice = best_threshold(image[volume.brain], reference[volume.brain], int(reference.sum()))
        context.note("threshold", {"case": volume.case_id, "at_least": level, "dsc": dice})
        if level is None:
            return volume.empty_mask()
        mask = volume.brain & (image >= np.float32(level))
        return largest_component(mask) if self.options.largest else mask


def fill_boxes(mask: Mask) -> Mask:
    """Return, per axial slice of a mask (X, Y, Z), the smallest box that holds it, filled; empty slices stay empty."""
    columns, rows = (_between(np.asarray(mask.any(axis=axis))) for axis in (1, 0))
    return columns[:, None, :] & rows[None, :, :]


def best_threshold(
    values: NDArray[np.floating[Any]], inside: NDArray[np.bool_], positives: int
) -> tuple[float | None, float]:
    """Return the level t for which `values >= t` has the best Dice with `inside`, and that Dice; both (N,).

    Exact: every distinct value is tried, in one pass over the sorted values. Of equals the highest level is taken.
    `positives`: voxels of the reference, those that are none of the N included. None where no level finds any of it.
    """
    order = np.argsort(values)[::-1]
    ranked = values[order]
    last_of_its_value = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    found = np.cumsum(inside[order])[last_of_its_value]
    if not found.size or found[-1] == 0:
        return None, float(positives == 0)
    taken = 1 + np.flatnonzero(last_of_its_value)
    dice = 2 * found / (taken + positives)
    best = int(dice.argmax())
    return float(ranked[taken[best] - 1]), float(dice[best])


def _between(present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return, along the first axis, all from the first to the last True."""
    from_the_left = np.logical_or.accumulate(present, axis=0)
    from_the_right = np.logical_or.accumulate(present[::-1], axis=0)[::-1]
    return from_the_left & from_the_right


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register the ceilings."""
    return [FilledBox, BestThreshold]
