"""What CLISC's stages cost, computed; see `unseg_bench.blocks.costs` for the figures of the networks."""

import math
from collections.abc import Sequence

from unseg_bench import CaseCounts, Cost
from unseg_bench.blocks.costs import (
    RESNET50_STEP,
    RESNET50_STEP_S,
    SAM_PROMPT,
    chained,
    clip_cost,
    sam_features_cost,
    slices,
    transformer_s,
    tumour_slices,
    unet_cases_cost,
    unet_training_cost,
    voxels,
)

from .options import CliscOptions

_SMALL_STEP = 2.4e6
"""The small classifier, forward and backward, per pixel and 8 channels at first."""
_PICTURE_SIDE = 224


def costs_of(options: CliscOptions, counts: CaseCounts) -> Sequence[Cost]:
    """Return the stages of `training.train` in order as far as the answer needs them, then 'segment'."""
    o, n, mm = options, counts.training, options.spacing_mm
    labels, first, q0, second, q1, p, s1, s2, s3 = chained(
        (o.clip, o.labels, o.oracle.labels, mm), o.classifier, (o.cam, o.region), o.amda, o.oracle.regions,
        (o.prompts, o.sam.shown, o.oracle.pseudo_labels), (o.unet, o.normalise), o.inference, (o.s3f, o.oracle.filter),
    )  # fmt: skip
    normalised = [] if o.normalise == "brain" else [Cost("outside-tumour", core_s=0.2 * n, bytes=4 * n * voxels(mm))]
    miniature = o.clip.pretrained == "miniature"
    found = [
        clip_cost("clip-probabilities", n * slices(mm), miniature=miniature, depends=labels),
        Cost("slice-labels", depends=labels),
        _classifier("classifier", o, n, 1, first),
        *_maps(o, n, q0),
    ]
    if o.answer != "raw-cam":
        found += [_classifier("amda-classifier", o, n, 2, second)]
    if o.answer == "unet":
        mask, asked = n * voxels(mm), _prompts(o, n)
        found += _maps(o, n, q1)
        encoded = sam_features_cost("sam-masks", o.sam, n, mm)
        ask = Cost("sam-masks", asked, transformer_s(asked), mask, depends=p)
        predict = unet_cases_cost("unet-predictions", o.unet, n, written=voxels(mm), depends=s2)
        found += [encoded, ask, *normalised, unet_training_cost("unet", o.unet, n, s1)]
        kept = math.ceil(n * (1 - o.s3f.beta / 100))
        for number in range(1, o.rounds):
            found += [
                predict,
                Cost("sam-masks", asked, transformer_s(asked), mask, depends=s2),
                Cost("s3f", depends=s3),
                unet_training_cost("unet-after-s3f", o.unet, kept, f"{s3} {number}"),
            ]
    return [*found, *_segment(o, counts.segmented)]


def _classifier(stage: str, o: CliscOptions, cases: int, sets: int, depends: str) -> Cost:
    """A training; `sets`: how many sets of pictures lie on the disk for it."""
    c, pictures = o.classifier, cases * slices(o.spacing_mm)
    steps, full = c.epochs * max(1, pictures // c.batch), c.network == "resnet50"
    flop = steps * c.batch * _picture(o)
    least = steps * (RESNET50_STEP_S if full else RESNET50_STEP_S / 4)
    return Cost(stage, flop, least, sets * pictures * c.image_size**2 + (4e8 if full else 0.0), depends)


def _picture(o: CliscOptions) -> float:
    """FLOP of one picture, forward and backward."""
    c = o.classifier
    if c.network == "resnet50":
        return RESNET50_STEP * (c.image_size / _PICTURE_SIDE) ** 2
    return _SMALL_STEP * (c.image_size / 96) ** 2 * (c.width / 8) ** 2 * 100


def _maps(o: CliscOptions, cases: int, depends: str) -> list[Cost]:
    """Maps (half precision) and regions (a byte) of a cohort."""
    size = cases * voxels(o.spacing_mm)
    flop = cases * tumour_slices(o.spacing_mm) * _picture(o)
    return [Cost("layer-cam", flop, bytes=2 * size, depends=depends), Cost("cam-regions", bytes=size, depends=depends)]


def _prompts(o: CliscOptions, cases: int) -> float:
    prompt = SAM_PROMPT if o.sam.model != "miniature" else 0.0
    return cases * tumour_slices(o.spacing_mm) * prompt


def _segment(o: CliscOptions, cases: int) -> list[Cost]:
    if o.answer == "unet":
        return [unet_cases_cost("segment", o.unet, cases)]
    flop = cases * tumour_slices(o.spacing_mm) * _picture(o)
    parts = [Cost("segment", flop, bytes=3 * cases * voxels(o.spacing_mm))]
    if o.answer == "sam":
        parts += [sam_features_cost("segment", o.sam, cases, o.spacing_mm)]
    return parts
