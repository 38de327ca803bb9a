"""The pictures of `ubench show`: one per step from the first pass to the mask."""

from unseg_bench import Step, Volume
from unseg_bench.blocks.region import Region
from unseg_bench.blocks.resample import mask_to_shape

from .look import Look


def steps(working: Volume, seen: Look, found: Region) -> list[Step]:
    """Return what each step makes of a case, on the working grid."""
    bright = abs(seen.sides.difference) * (seen.sides.difference > 0)
    shown = [
        Step("first pass: probability", heat=seen.first, mask=seen.first > 0.5),
        Step("second pass: probability", heat=seen.probability, mask=seen.probability > 0.5),
        Step("brighter than the mirror image", heat=bright / max(float(bright.max()), 1.0)),
        Step("place", mask=found.place),
    ]
    for number, outline in enumerate(found.outlines, start=1):
        note = f"above {outline.level:.1f} standard deviations, {outline.steepness:.2f} per mm steep"
        shown.append(Step(f"steepest outline {number} of {len(found.outlines)}", mask=outline.piece, note=note))
    solid, mask = (mask_to_shape(one, working.shape) for one in (found.solid, found.mask))
    return [*shown, Step("outline, filled", mask=solid), Step("mask, with cavities", mask=mask)]
