"""The authors' search for settings of everything mode, which looks at reference masks: an option, off by default."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Cohort, Labels, Mask, RunError, Volume, Work, stage, write_json
from unseg_bench.blocks.overlap import dice
from unseg_bench.blocks.resample import mask_to_shape
from unseg_bench.blocks.sam.options import EverythingOptions
from unseg_bench.blocks.slices import to_pictures
from unseg_bench.blocks.working_volumes import volume_at_spacing

from .options import SalipOptions, SearchOptions
from .pictures import SlicePicture, chosen_slices, draw_slices
from .pipeline import Pipeline

RESULT = "search.json"
PURPOSE = "score settings of everything mode"


def tuning_cases(validation: Cohort, options: SearchOptions, seed: int) -> Cohort:
    """Draw the cases whose references are looked at; raises RunError where there is none to draw from."""
    if not validation.case_ids:
        raise RunError(
            "search.by=labels: there are no validation cases whose references could be looked at; "
            "give the split some, or set search.by=none"
        )
    count = min(options.cases, len(validation))
    drawn = np.random.default_rng(seed).choice(len(validation), count, replace=False)
    digests = [(validation.case_ids[number], validation.digest) for number in sorted(drawn)]
    return Cohort("tuning", digests, validation.__getitem__)


@stage("salip-search")
def search_settings(
    work: Work, options: SalipOptions, *, cohort: Cohort, clip: str, sam: str, masks: str, offline: bool, labels: Labels
) -> None:
    """Write `search.json`: the settings that were tried with their mean Dice, and the best of them.

    `clip`, `sam` and `masks` are digests of weights and references. A slice that is empty in both counts as 1; the mean
    is over slices; of equals the first drawn wins.
    """
    pipeline = Pipeline(options, device=work.device, offline=offline)
    draws = draw_settings(options.search, work.seed)
    dice: list[list[float]] = [[] for _ in draws]
    done, total = 0, len(cohort) * len(draws)
    for volume in cohort:
        working = volume_at_spacing(volume, options.spacing_mm)
        reference = labels.mask(volume.case_id, PURPOSE)
        if reference.shape != working.shape:
            reference = mask_to_shape(reference, working.shape)
        tried = [(one, to_pictures(reference)[one.number]) for one in _pictures(working, options)]
        for values, draw in zip(dice, draws, strict=True):
            work.progress(done, total, volume.case_id)
            settings = options.everything.model_copy(update=draw)
            values += [_dice(pipeline, one, truth, settings) for one, truth in tried]
            done += 1
    means = [float(np.mean(values)) if values else 0.0 for values in dice]
    rows = [{**draw, "dice": mean} for draw, mean in zip(draws, means, strict=True)]
    write_json(work.folder / RESULT, {"tried": rows, "best": draws[int(np.argmax(means))]})


def draw_settings(options: SearchOptions, seed: int) -> list[dict[str, Any]]:
    """Draw settings of everything mode at random, each value on its own, as the authors' code does."""
    rng = np.random.default_rng(seed)
    space: dict[str, Sequence[int | float]] = {
        name: getattr(options, name) for name in ("points_per_side", "pred_iou_thresh", "stability_score_thresh")
    }
    return [
        {name: values[int(rng.integers(len(values)))] for name, values in space.items()} for _ in range(options.draws)
    ]


def tuning_slices(brain: Mask, options: SalipOptions) -> NDArray[np.intp]:
    """Return the slices that are tried: about `search.slices`, evenly spaced, without the lowest (authors' code)."""
    numbers = chosen_slices(brain, options.pictures)
    step = max(1, len(numbers) // options.search.slices)
    return numbers[step::step][: options.search.slices]


def _pictures(volume: Volume, options: SalipOptions) -> list[SlicePicture]:
    return list(draw_slices(volume, tuning_slices(volume.brain, options), options))


def _dice(pipeline: Pipeline, one: SlicePicture, truth: NDArray[np.bool_], settings: EverythingOptions) -> float:
    return dice(one.to_slice(pipeline.run(one, settings).mask), truth, empty=1.0)
