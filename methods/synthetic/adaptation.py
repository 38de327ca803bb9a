"""Adaptation without labels: the pair learns from its own answers on the training part, where its halves agree."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unseg_bench import Artifact, Cohort, Image, Mask, RunError, Volume, Work, stage, write_json
from unseg_bench.blocks.components import surest_component
from unseg_bench.blocks.overlap import dice
from unseg_bench.blocks.training import step_generator, step_seed
from unseg_bench.blocks.weights import WeightsFile
from unseg_bench.blocks.working_cases import LabelledCase

from .learning import loss_of_sure_voxels, train_half
from .options import HEAD_SPACING_MM, NETWORK, AdaptationOptions, SyntheticOptions
from .pair import HALVES, Pair, load_pair, save_pair
from .variation import UNSURE, vary

FILE, TABLE = "adapted.safetensors", "agreement.json"
_FEWEST = 2


@stage("synthetic-answers", seeded=False)
def collect_answers(work: Work, options: SyntheticOptions, *, cohort: Cohort, weights: str, file: WeightsFile) -> None:
    """Write `<case>.npy` of each case that both halves agree on, and `agreement.json`: the agreement of all.

    The array is uint8 (0, 1, UNSURE); `cohort` is at the working spacing.
    Raises RunError where fewer than two cases are left. `weights` is the digest of `file`.
    """
    pair, found = load_pair(file, work.device), dict[str, float]()
    for done, volume in enumerate(cohort):
        label, found[volume.case_id] = agreed_label(pair, volume, options)
        if _kept(found[volume.case_id], options.adaptation):
            np.save(work.folder / f"{volume.case_id}.npy", label, allow_pickle=False)
        work.progress(done + 1, len(cohort), volume.case_id)
    write_json(work.folder / TABLE, found)
    kept = sum(_kept(value, options.adaptation) for value in found.values())
    if kept < _FEWEST:
        raise RunError(
            f"the halves of `synthetic` agree on {kept} of {len(found)} training cases (Dice of at least "
            f"{options.adaptation.min_agreement}): too few to adapt to. Lower adaptation.min_agreement, or set "
            "adaptation.steps to 0 to take the weights as they are."
        )


def agreed_label(pair: Pair, working: Volume, options: SyntheticOptions) -> tuple[np.ndarray, float]:
    """Return the label of a case (uint8: 0, 1, UNSURE), and how far the halves' masks agree."""
    first, second = pair.probabilities(working, options.mirror)
    masks = [_main_piece(one, options.threshold) for one in (first, second)]
    sure = np.float32(options.adaptation.sure)
    label = np.full(working.shape, UNSURE, dtype=np.uint8)
    label[(first < sure) & (second < sure)] = 0
    label[(first > 1 - sure) & (second > 1 - sure) & masks[0] & masks[1]] = 1
    label[~working.brain] = 0
    return label, dice(*masks, empty=0.0)


def _main_piece(probability: Image, threshold: float) -> Mask:
    return surest_component(probability > threshold, probability, threshold)


def _kept(value: float, options: AdaptationOptions) -> bool:
    return value >= options.min_agreement


@stage("synthetic-adapted")
def adapt(
    work: Work, options: SyntheticOptions, *, cohort: Cohort, answers: Artifact, weights: str, file: WeightsFile,
    heads: Artifact | None = None,
) -> None:  # fmt: skip
    """Train both halves on from `file` and write `adapted.safetensors`; `weights` is the digest of `file`.

    `cohort` is at the working spacing.
    """
    pair = load_pair(file, work.device)
    case_ids = [case_id for case_id in cohort.case_ids if (answers.folder / f"{case_id}.npy").exists()]
    changed = {"steps": options.adaptation.steps, "learning_rate": options.adaptation.learning_rate}
    for half, network in zip(HALVES, pair.networks, strict=True):
        batches = MixedBatches(cohort, case_ids, answers, heads, options.adaptation.heads, _seed(work.seed, half))
        training = NETWORK.model_copy(update=changed)
        train_half(work, training, network, batches, loss_of_sure_voxels, half)
    save_pair(work.folder / FILE, pair.networks)


@dataclass(frozen=True, slots=True)
class MixedBatches:
    """`batches(step)` -> (images (2, 1, *patch), labels (2, *patch)): a patient with its agreed label, and a new head.

    Without heads, two patients. A pure function of (seed, step).
    """

    cohort: Cohort
    case_ids: list[str]
    answers: Artifact
    heads: Artifact | None
    count: int
    seed: int

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of a step."""
        rng = step_generator(self.seed, step)
        pairs = [self._patient(rng), self._patient(rng) if self.heads is None else self._head(self.heads, rng)]
        return torch.stack([image for image, _ in pairs])[:, None], torch.stack([label for _, label in pairs])

    def _patient(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        case_id = self.case_ids[int(rng.integers(len(self.case_ids)))]
        working = self.cohort[case_id]
        answer = self.answers.array(case_id).view(np.ndarray)
        case = LabelledCase(working.image, answer == 1, working.brain, working.spacing_mm)
        return vary(case, NETWORK.patch, rng, answer == UNSURE)

    def _head(self, heads: Artifact, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        image, label = np.asarray(heads.array(str(int(rng.integers(self.count)))))
        spacing = (HEAD_SPACING_MM, HEAD_SPACING_MM, HEAD_SPACING_MM)
        return vary(LabelledCase(image.astype(np.float32), label > 0, image > 0, spacing), NETWORK.patch, rng)


def _seed(seed: int, half: str) -> int:
    return step_seed(seed, HALVES.index(half))
