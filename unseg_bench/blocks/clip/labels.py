"""CLIP says of every axial slice whether it shows a tumour: CLISC's stage 1, and a way to find normal slices.

The options stand here too; torch is loaded when a slice is scored.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from unseg_bench.blocks.slices import Scaling, brain_slices, eight_bit, to_pictures
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Context, Work, stage
from unseg_bench.plugins.method import MethodOptions

if TYPE_CHECKING:
    from unseg_bench.blocks.clip.scorer import ClipScorer

PAPER_NORMAL = (
    "an image of brain tissue showing typical signal intensity without any regions of abnormal intensity or "
    "suspicious mass"
)
PAPER_TUMOUR = (
    "an image of brain tissue showing a tumor with uneven hyperintensity and irregular borders distinct from "
    "surroundings"
)
LEFT_OUT, NORMAL, TUMOUR = -1, 0, 1
NEIGHBOURS, REACH, ENOUGH = 5, 6, 8
"""The authors' vote: so many labelled slices on either side, at most so far away, and more than so many of them."""


ClipPicture: TypeAlias = Literal["eight-bit", "z-scores"]


class ClipOptions(MethodOptions):
    """Probability of a tumour, a slice. Several captions of a class are averaged; the defaults are the paper's two."""

    model: str = "ViT-B-32"
    pretrained: str = "openai"
    normal_captions: tuple[str, ...] = Field(default=(PAPER_NORMAL,), min_length=1)
    tumour_captions: tuple[str, ...] = Field(default=(PAPER_TUMOUR,), min_length=1)
    scaling: Scaling = "slice"
    picture: ClipPicture = "eight-bit"
    """What CLIP is shown: 'eight-bit' greys, padded to a square, or the 'z-scores' as they are (authors' code): CLIP's
    own transform resizes them, cuts the middle out and drops what follows the point, which leaves 0 to 7 of 255."""
    min_brain_share: float = Field(default=0.0, ge=0, lt=1)
    """Slices with less than this share of the largest slice's brain area are left out everywhere."""


class LabelOptions(MethodOptions):
    """From probability to label: 'argmax' (paper), or 'confident' (authors' code): unsure slices are left out, the
    others follow the majority of their neighbours.
    """

    rule: Literal["argmax", "confident"] = "argmax"
    confidence: float = Field(default=0.6, ge=0.5, lt=1)
    """Of the rule 'confident': the larger probability must reach it."""


class ShownOptions(MethodOptions):
    """What the stage 'true-slice-labels' reads, as in ClipOptions."""

    min_brain_share: float


class ClipModel:
    """CLIP by its options: its weights are found at once, the model is loaded when a slice is first scored.

    Made once a run, before any stage, since their keys have the digest of the weights.
    """

    def __init__(self, options: ClipOptions, context: Context) -> None:
        """Find (or download) the weights and write their digest into the run; raises WeightsError."""
        from unseg_bench.blocks.clip.scorer import clip_weights

        file = clip_weights(options.model, options.pretrained, offline=context.offline)
        context.record_weights(file.name, file.sha256)
        self.digest = file.sha256
        self._options, self._context = options, context

    def label(
        self, cohort: Cohort, labels: LabelOptions, run: Callable[..., Artifact], *, required: bool = False
    ) -> Artifact:
        """Label every slice (see `label_slices`); `required`: both kinds must occur. `run`: a context's."""
        probabilities = run(
            score_slices, self._options, extras={"scorer": lambda: self._scorer}, cohort=cohort, weights=self.digest
        )
        return run(label_slices, labels, extras={"required": required}, cohort=cohort, probabilities=probabilities)

    @cached_property
    def _scorer(self) -> "ClipScorer":
        from unseg_bench.blocks.clip.scorer import ClipScorer

        o, context = self._options, self._context
        return ClipScorer(o.model, o.pretrained, device=context.device, offline=context.offline)


@stage("clip-probabilities", seeded=False)
def score_slices(
    work: Work, options: ClipOptions, *, cohort: Cohort, weights: str, scorer: "Callable[[], ClipScorer]"
) -> None:
    """Write `<case>.npy`: the probability of a tumour per axial slice, (Z,) float32, NaN where too little brain is.

    `weights` is the digest of CLIP's weights. Paper, eq. 1: softmax over the captions' classes of the similarity of
    image and text.
    """
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        slices = brain_slices(volume.brain, options.min_brain_share)
        probability = np.full(volume.shape[2], np.nan, dtype=np.float32)
        if len(slices):
            probability[slices] = _scores(volume, slices, options, scorer())
        np.save(work.folder / f"{volume.case_id}.npy", probability)


def _scores(
    volume: Volume, slices: NDArray[np.intp], options: ClipOptions, scorer: "ClipScorer"
) -> NDArray[np.float32]:
    """The probability of a tumour of each given slice, (N,)."""
    captions = [list(options.normal_captions), list(options.tumour_captions)]
    if options.picture == "z-scores":
        return scorer.probabilities_of_values(to_pictures(volume.image)[slices], captions)[:, 1]
    return scorer.probabilities(eight_bit(volume, slices, options.scaling), captions)[:, 1]


@stage("slice-labels", seeded=False)
def label_slices(work: Work, options: LabelOptions, *, cohort: Cohort, probabilities: Artifact, required: bool) -> None:
    """Write `<case>.npy`: the label of each axial slice, (Z,) int8: 1 tumour, 0 normal, -1 left out.

    Raises RunError when labels are `required` of both kinds and every slice of the cohort gets the same.
    """
    found = np.zeros(2, dtype=np.intp)
    lowest, highest = 1.0, 0.0
    for case_id in cohort.case_ids:
        probability = np.asarray(probabilities.array(case_id))
        labels = argmax_labels(probability)
        if options.rule == "confident":
            labels = confident_labels(probability, options.confidence)
        np.save(work.folder / f"{case_id}.npy", labels)
        found += np.bincount(labels[labels != LEFT_OUT], minlength=2)
        lowest = float(np.nanmin(probability, initial=lowest))
        highest = float(np.nanmax(probability, initial=highest))
    if required and not found.all():
        raise RunError(_one_sided(options, found, lowest, highest))


def _one_sided(options: LabelOptions, found: NDArray[np.intp], lowest: float, highest: float) -> str:
    """Say that one kind of label is missing, in which range CLIP's probabilities of a tumour lie, and what may help."""
    if found.any():
        said = f"CLIP called all {found.sum()} slices {'tumour' if found[TUMOUR] else 'normal'}"
    else:
        said = "no slice has a label"
    range_text = f" (probability of a tumour: {lowest:.3g} to {highest:.3g})" if lowest <= highest else ""
    remedies = "other captions (clip.normal_captions, clip.tumour_captions) or another clip.model"
    if options.rule == "confident":
        remedies += ", labels.rule=argmax, or a lower labels.confidence"
    return f"stage 'slice-labels': {said}{range_text}, so there is nothing to learn from; try {remedies}"


@stage("true-slice-labels", seeded=False)
def write_true_labels(
    work: Work, options: ShownOptions, *, cohort: Cohort, true_slices: str, by_case: Mapping[str, NDArray[np.bool_]]
) -> None:
    """Write the true label of each axial slice as `label_slices` does CLIP's; too little brain is left out.

    `by_case`: which slices of each volume have tumour, (Z,) bool; `true_slices` is its digest.
    """
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        labels = np.full(volume.shape[2], LEFT_OUT, dtype=np.int8)
        slices = brain_slices(volume.brain, options.min_brain_share)
        labels[slices] = np.where(by_case[volume.case_id][slices], TUMOUR, NORMAL)
        np.save(work.folder / f"{volume.case_id}.npy", labels)


def argmax_labels(probability: NDArray[np.float32]) -> NDArray[np.int8]:
    """The likelier label of each slice, (Z,); -1 where there is no probability."""
    labels = np.where(probability > 0.5, TUMOUR, NORMAL)
    return np.where(np.isnan(probability), LEFT_OUT, labels).astype(np.int8)


def confident_labels(probability: NDArray[np.float32], confidence: float) -> NDArray[np.int8]:
    """Labels of the slices that CLIP is sure of, each replaced by the majority of its neighbours; -1 elsewhere.

    A slice is kept where the larger probability reaches `confidence`. Of the kept ones, up to `NEIGHBOURS` on either
    side not farther than `REACH` slices vote, if they are more than `ENOUGH`; a tie gives normal.
    Source: HiLab-git/CLISC at b9d22c1, train/step0_get_clip_label.py.
    """
    labels = argmax_labels(probability)
    kept = np.flatnonzero((labels != LEFT_OUT) & (np.maximum(probability, 1 - probability) >= confidence))
    voted = np.full(len(labels), LEFT_OUT, dtype=np.int8)
    for place, index in enumerate(kept):
        around = np.concatenate([kept[max(place - NEIGHBOURS, 0) : place], kept[place + 1 : place + 1 + NEIGHBOURS]])
        near = around[np.abs(around - index) <= REACH]
        voted[index] = int(2 * labels[near].sum() > len(near)) if len(near) > ENOUGH else labels[index]
    return voted


def labelled_slices(labels: Artifact, case_id: str) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Axial slices that have a label and whether it says tumour, both (N,)."""
    label = np.asarray(labels.array(case_id))
    slices = np.flatnonzero(label != LEFT_OUT)
    return slices, label[slices] == TUMOUR
