"""What `ubench show RUN --case ID` draws of SaLIP: proposals, what CLIP says of them, kept boxes, the answer."""

from collections.abc import Sequence

import numpy as np

from unseg_bench import Box, Explanation, Image, Mask, Step, Volume
from unseg_bench.blocks.slices import resize, to_pictures

from .pipeline import SliceResult


def explain_slices(working: Volume, results: Sequence[SliceResult], answer: Mask) -> Explanation:
    """Return the steps of one case on the working grid; `answer` is the stacked mask, inside the brain."""
    size = to_pictures(working.brain).shape[1:]
    proposed = {one.number: [_on_slice(p.box, one, size) for p in one.proposals] for one in results}
    kept = {one.number: [_on_slice(one.candidates[n].box, one, size) for n in one.kept] for one in results}
    prompted = sum(len(boxes) > 0 for boxes in kept.values())
    steps = [
        Step("SAM's proposals", boxes=proposed, note=f"{sum(map(len, proposed.values()))} in {len(results)} slices"),
        Step("CLIP: probability of tumour", heat=_heat(working, results), note="the highest of the crops at a place"),
        Step("kept boxes", boxes=kept, note=f"{prompted} slices are asked about"),
        Step("SAM's mask", mask=answer, boxes=kept),
    ]
    return Explanation(working, steps)


def _heat(working: Volume, results: Sequence[SliceResult]) -> Image:
    """Of each voxel the highest probability of the candidates that cover it; 0 where there is none."""
    heat = np.zeros(working.shape, dtype=np.float32)
    for one in results:
        highest = np.zeros(one.mask.shape, dtype=np.float32)
        for proposal, probability in zip(one.candidates, one.scores.probability, strict=True):
            np.maximum(highest, proposal.mask * probability, out=highest)
        rows, columns = to_pictures(heat).shape[1:]
        to_pictures(heat)[one.number] = resize(highest[None], (rows, columns))[0].numpy()
    return np.clip(heat, 0.0, 1.0) * working.brain


def _on_slice(box: tuple[int, int, int, int], one: SliceResult, size: tuple[int, ...]) -> Box:
    """Bring a box of the picture, ends inside, to pixels of the slice (Y, X)."""
    down, across = (own / drawn for own, drawn in zip(size, one.mask.shape, strict=True))
    x0, y0, x1, y1 = box
    return x0 * across, y0 * down, (x1 + 1) * across - 1, (y1 + 1) * down - 1
