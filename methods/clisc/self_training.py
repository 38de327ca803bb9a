"""Stage 5: a 3D U-Net learns the pseudo-labels, then its own best predictions (S3F), from scratch each time."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from unseg_bench import Artifact, Cohort, Mask, RunError, Work, stage, write_json
from unseg_bench.blocks.case_files import write_cases
from unseg_bench.blocks.overlap import dice
from unseg_bench.blocks.training import save_network
from unseg_bench.blocks.unet.options import UNetOptions
from unseg_bench.blocks.unet.training import load_unet, segment_unet, train_unet
from unseg_bench.blocks.working_cases import CohortCases

from .options import FilterOptions, PredictOptions

WEIGHTS = "unet.safetensors"
_KEPT = "kept.json"


def _train_round(
    work: Work, options: UNetOptions, *, cohort: Cohort, targets: Artifact, kept: Artifact | str,
    held_out: Cohort | str, masks: str, mask_of: Callable[[str], Mask], empty_cases: str,
) -> None:  # fmt: skip
    """Train on the targets of all cases, or of those that S3F kept, and write `unet.safetensors`.

    `empty_cases` 'left-out': cases with an empty target are not learned from (authors' code).
    The last step is kept, or that with the best Dice on `held_out` against its masks (label use 4 of the authors' code;
    `masks` is the digest of what `mask_of` gives).
    """
    case_ids = cohort.case_ids if isinstance(kept, str) else read_filter(kept).kept
    if empty_cases == "left-out":
        case_ids = [case_id for case_id in case_ids if targets.array(case_id).any()]
    cases = CohortCases(cohort, targets.array, case_ids)
    validation = () if isinstance(held_out, str) else _validation_cases(work, held_out, mask_of)
    network, log = train_unet(work, options, cases, validation=validation)
    save_network(work.folder / WEIGHTS, network)
    write_json(
        work.folder / "training.json", {"cases": len(cases), "kept_step": log.kept_step, "final_loss": log.final_loss}
    )


train_first = stage("unet")(_train_round)
"""Round 1."""

train_next = stage("unet-after-s3f")(_train_round)
"""Every later round: from scratch, so its first weights are drawn anew; a stage's seed goes by its name."""


@stage("unet-predictions", seeded=False)
def predict_all(work: Work, options: PredictOptions, *, cohort: Cohort, unet: Artifact, required: bool) -> None:
    """Write `<case>.npy`: the prediction S of every case, (X, Y, Z) bool; RunError if all are empty and `required`.

    A case that is done survives a crash.
    """
    network = load_unet(unet.path(WEIGHTS), options.unet, work.device)
    found = write_cases(work, cohort, partial(segment_unet, network, options.unet, options.inference))
    if required and not found:
        raise RunError(
            "stage 'unet-predictions': the U-Net predicts nothing in any training case; train it longer (unet.steps "
            "or unet.epochs) or start it with a prior (unet.foreground_prior)"
        )


@stage("s3f", seeded=False)
def filter_by_similarity(
    work: Work, options: FilterOptions, *, cohort: Cohort, predictions: Artifact, prompted: Artifact
) -> None:
    """Write `kept.json`: F = Dice(S, SAM prompted with S) of each case, and the cases that the next round learns from.

    Raises RunError when SAM agrees with no prediction at all.
    """
    # An empty prediction teaches nothing, so two empty masks do not agree.
    similarity = {case: dice(predictions.array(case), prompted.array(case), empty=0.0) for case in cohort.case_ids}
    if options.empty_cases == "left-out":
        found = {case: value for case, value in similarity.items() if predictions.array(case).any()}
        kept = highest_share(found, options.beta)
    else:
        kept = above_percentile(similarity, options.beta)
    if not kept:
        raise RunError(
            "stage 's3f': no case survives, since SAM agrees with the U-Net in none of them; look at the stages "
            "'unet-predictions' and 'sam-masks', and train the U-Net longer (unet.steps or unet.epochs)"
        )
    write_json(work.folder / _KEPT, {"similarity": similarity, "kept": kept})


def above_percentile(similarity: dict[str, float], beta: float) -> list[str]:
    """Cases at or above the beta-th percentile of similarity, in order; never those of similarity 0 (paper: 20).

    A beta of 0 filters nothing: all cases.
    """
    if beta == 0:
        return list(similarity)
    level = np.percentile(list(similarity.values()), beta)
    return [case for case, value in similarity.items() if value >= level and value > 0]


def highest_share(similarity: dict[str, float], beta: float) -> list[str]:
    """The cases with the highest similarity, beta % fewer than there are, rounded down; in the order given.

    Of equals the later ones. Source: HiLab-git/CLISC at b9d22c1, train/step3-3_S3F.py.
    """
    count = int(len(similarity) * (100 - beta) / 100)
    best = sorted(similarity, key=lambda case: (similarity[case], case), reverse=True)[:count]
    return [case for case in similarity if case in set(best)]


@dataclass(frozen=True, slots=True)
class Filtered:
    """What `filter_by_similarity` found: F (0-1) by case, and the cases that were kept."""

    similarity: Mapping[str, float]
    kept: Sequence[str]

    def table(self, following: int) -> list[dict[str, str | float | bool]]:
        """One row a case for the run's table: F, and whether the `following` round learns from it."""
        return [
            {"round": following, "case": case_id, "similarity": similarity, "kept": case_id in self.kept}
            for case_id, similarity in self.similarity.items()
        ]


def read_filter(chosen: Artifact) -> Filtered:
    """Read the result of `filter_by_similarity`."""
    return Filtered(**json.loads(chosen.path(_KEPT).read_text(encoding="utf-8")))


def _validation_cases(work: Work, cohort: Cohort, mask_of: Callable[[str], Mask]) -> CohortCases:
    """Masks are read once and memory-mapped from then on: they are looked at again and again."""
    for case_id in cohort.case_ids:
        np.save(work.scratch / f"{case_id}.mask.npy", mask_of(case_id), allow_pickle=False)

    def label_of(case_id: str) -> Mask:
        return np.load(work.scratch / f"{case_id}.mask.npy", mmap_mode="r", allow_pickle=False)

    return CohortCases(cohort, label_of, cohort.case_ids)
