"""CLISC's `segment` and `explain`: one case, by the networks that were trained."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from unseg_bench import Artifact, Box, Cohort, Context, Explanation, Mask, Point, Step, Volume
from unseg_bench.blocks.clip.labels import labelled_slices
from unseg_bench.blocks.overlap import dice
from unseg_bench.blocks.prompts import FOREGROUND, Prompt
from unseg_bench.blocks.standardise import outside_tumour_volume
from unseg_bench.blocks.unet.networks import Network
from unseg_bench.blocks.unet.options import UNetOptions
from unseg_bench.blocks.unet.training import load_unet, segment_unet

from .chain import Chain, Localised
from .options import CliscOptions
from .pseudo_labels import prompts_of
from .self_training import WEIGHTS, read_filter
from .training import Locator, Trained


def answer(options: CliscOptions, trained: Trained, volume: Volume, context: Context) -> Mask:
    """Return the tumour (X, Y, Z) of a case on the working grid."""
    if options.answer == "unet":
        return _segment(options, trained.unets[-1], volume, context.device)
    chain = Chain(options, context, trained.models)
    case = _alone(volume)
    locator = trained.first if options.answer == "raw-cam" else trained.second
    assert locator is not None  # noqa: S101 - `train` went as far as the answer
    found = _localise(chain, case, chain.label(case), locator)
    if options.answer != "sam":
        return _mask(found.regions, volume)
    return _mask(chain.prompt_sam(case, found.regions), volume)


def explain(options: CliscOptions, trained: Trained, volume: Volume, context: Context) -> Explanation:
    """Return what each stage that the answer needed makes of a case, on the working grid."""
    chain, case = Chain(options, context, trained.models), _alone(volume)
    labels = chain.label(case)
    slices, tumour = labelled_slices(labels, volume.case_id)
    steps = [Step("CLIP", note=f"{int(tumour.sum())} of {len(slices)} slices called tumour")]
    q0 = _localise(chain, case, labels, trained.first)
    steps += _cam_steps("Q0", volume, q0)
    if trained.second is None:
        return Explanation(volume, steps)
    q1 = _localise(chain, case, labels, trained.second)
    steps += _cam_steps("Q1", volume, q1)
    p = _mask(chain.prompt_sam(case, q1.regions), volume)
    steps.append(_prompted("P: SAM asked with Q1", chain, volume, _mask(q1.regions, volume), p, predictions=False))
    for number, unet in enumerate(trained.unets, start=1):
        s = _segment(options, unet, volume, context.device)
        steps.append(Step(f"U-Net, round {number}", mask=s))
        if number < len(trained.unets):
            chosen = trained.filters[number - 1]
            steps.append(_similarity(chain, chosen, case, volume, unet, by_truth=options.oracle.filter))
    return Explanation(volume, steps)


def _similarity(
    chain: Chain, chosen: Artifact, case: Cohort, volume: Volume, unet: Artifact, *, by_truth: bool
) -> Step:
    """S3F's view of a case: SAM asked with the U-Net's prediction, and how alike the two are.

    `by_truth`: cases were chosen by an oracle, which knew this one if it is of the training part.
    """
    predicted = chain.predict(case, unet)
    s = _mask(predicted, volume)
    s_hat = _mask(chain.prompt_sam(case, predicted, predictions=True), volume)
    found = read_filter(chosen)
    if volume.case_id in found.similarity:
        fate = "kept" if volume.case_id in found.kept else "filtered out"
        fate += f" by its true Dice, {found.similarity[volume.case_id]:.3f}" if by_truth else ""
    else:
        fate = "not a training case"
    step = _prompted("S3F: SAM asked with the prediction", chain, volume, s, s_hat, predictions=True)
    return Step(
        step.title,
        mask=step.mask,
        boxes=step.boxes,
        points=step.points,
        note=f"F = {dice(s, s_hat, empty=0.0):.3f}, {fate}",
    )


def _cam_steps(name: str, volume: Volume, found: Localised) -> list[Step]:
    heat = np.asarray(found.cams.array(volume.case_id), dtype=np.float32)
    return [Step(f"{name}: CAM", heat=heat), Step(f"{name}: region", mask=_mask(found.regions, volume))]


def _prompted(title: str, chain: Chain, volume: Volume, region: Mask, mask: Mask, *, predictions: bool) -> Step:
    prompts = prompts_of(volume, region, chain.sam_options(predictions=predictions))
    return Step(
        title,
        mask=mask,
        boxes={index: _boxes(prompt) for index, prompt in prompts.items()},
        points={index: _points(prompt) for index, prompt in prompts.items()},
    )


def _boxes(prompt: Prompt) -> list[Box]:
    return [] if prompt.box is None else [prompt.box]


def _points(prompt: Prompt) -> list[Point]:
    labelled = zip(prompt.points, prompt.labels, strict=True)
    return [(float(x), float(y), bool(label == FOREGROUND)) for (x, y), label in labelled]


def _localise(chain: Chain, case: Cohort, labels: Artifact, locator: Locator) -> Localised:
    maps = chain.map(case, labels, locator.classifier)
    return Localised(maps, chain.binarise(case, maps, locator.level))


def _alone(volume: Volume) -> Cohort:
    """A cohort of one case, so that the stages of the training part serve it too and their results are kept."""
    return Cohort("case", [(volume.case_id, volume.digest)], lambda _: volume)


def _mask(masks: Artifact, volume: Volume) -> Mask:
    return np.array(masks.array(volume.case_id))


def _segment(options: CliscOptions, unet: Artifact, volume: Volume, device: str) -> Mask:
    network = _network(unet.path(WEIGHTS), options.unet.model_dump_json(), device)
    shown = outside_tumour_volume(volume) if options.normalise == "outside-tumour" else volume
    return segment_unet(network, options.unet, options.inference, shown)


@lru_cache(maxsize=2)
def _network(path: Path, options: str, device: str) -> Network:
    return load_unet(path, UNetOptions.model_validate_json(options), device)
