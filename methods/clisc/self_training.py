"""Stage 5: a 3D U-Net learns the pseudo-labels, and once more its own best predictions (S3F)."""

import json

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.patches import LabelledCase
from unseg_bench.blocks.training import save_network
from unseg_bench.blocks.unet_options import UNetOptions
from unseg_bench.blocks.unet_training import load_unet, segment_unet, train_unet
from unseg_bench.data.atomic import write_json
from unseg_bench.data.cohort import Cohort
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Work, stage

from .options import PredictOptions, S3fOptions

WEIGHTS = "unet.safetensors"


@stage("unet")
def train_on_all(work: Work, options: UNetOptions, *, cohort: Cohort, targets: Artifact) -> None:
    """Round 1: train on the pseudo-labels of all cases and write `unet.safetensors`."""
    _train(work, options, cohort, targets, cohort.case_ids)


@stage("unet-after-s3f")
def train_on_kept(work: Work, options: UNetOptions, *, cohort: Cohort, targets: Artifact, kept: Artifact) -> None:
    """Round 2: train from scratch on the predictions of the cases that S3F kept."""
    _train(work, options, cohort, targets, kept_cases(kept))


@stage("unet-predictions", seeded=False)
def predict_all(work: Work, options: PredictOptions, *, cohort: Cohort, unet: Artifact) -> None:
    """Write `<case>.npy`: the prediction S of every case, (X, Y, Z) bool. Raises RunError when all are empty."""
    network = load_unet(unet.path(WEIGHTS), options.unet, work.device)
    found = False
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        mask = segment_unet(network, options.unet, options.inference, volume)
        found = found or bool(mask.any())
        np.save(work.folder / f"{volume.case_id}.npy", mask)
    if not found:
        raise RunError(
            "stage 'unet-predictions': the U-Net predicts nothing in any training case; train it longer (unet.steps "
            "or unet.epochs) or start it with a prior (unet.foreground_prior)"
        )


@stage("s3f", seeded=False)
def filter_by_similarity(
    work: Work, options: S3fOptions, *, cohort: Cohort, predictions: Artifact, prompted: Artifact
) -> None:
    """Write `kept.json`: F = Dice(S, SAM prompted with S) of each case, and the cases that round 2 learns from.

    Raises RunError when SAM agrees with no prediction at all.
    """
    similarity = {case: _dice(predictions.array(case), prompted.array(case)) for case in cohort.case_ids}
    kept = above_percentile(similarity, options.beta)
    if not kept:
        raise RunError(
            "stage 's3f': no case survives, since SAM agrees with the U-Net in none of them; look at the stages "
            "'unet-predictions' and 'sam-masks', and train the U-Net longer (unet.steps or unet.epochs)"
        )
    write_json(work.folder / "kept.json", {"similarity": similarity, "kept": kept})


def above_percentile(similarity: dict[str, float], beta: float) -> list[str]:
    """Cases at or above the beta-th percentile of similarity, in order; never those of similarity 0 (paper: 20)."""
    level = np.percentile(list(similarity.values()), beta)
    return [case for case, value in similarity.items() if value >= level and value > 0]


def kept_cases(kept: Artifact) -> list[str]:
    """The case ids that `filter_by_similarity` kept."""
    return json.loads(kept.path("kept.json").read_text(encoding="utf-8"))["kept"]


def _train(
    work: Work, options: UNetOptions, cohort: Cohort, targets: Artifact, case_ids: "list[str] | tuple[str, ...]"
) -> None:
    volumes = (cohort[case_id] for case_id in case_ids)
    cases = [
        LabelledCase(volume.image, np.asarray(targets.array(volume.case_id)), volume.brain, volume.spacing_mm)
        for volume in volumes
    ]
    network, log = train_unet(work, options, cases)
    save_network(work.folder / WEIGHTS, network)
    write_json(work.folder / "training.json", {"cases": len(cases), "final_loss": log.final_loss})


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Dice of two masks; 0 where both are empty, since an empty prediction teaches nothing."""
    total = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / total if total else 0.0
