"""Stages 2 and 3: the slice classifier, trained on CLIP's labels, and again from scratch on masked slices (AMDA)."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from unseg_bench import Artifact, Cohort, Work, stage, write_json
from unseg_bench.blocks.classifier import InputRange, build_classifier, network_input
from unseg_bench.blocks.clip.labels import labelled_slices
from unseg_bench.blocks.training import (
    Batch,
    Validation,
    fit_network,
    load_network,
    one_cycle,
    samples_of,
    save_network,
    seeded_torch,
    step_generator,
    steps_an_epoch,
)

from .amda import Amda
from .options import ClassifierOptions, RetrainOptions
from .slice_set import LabelsOf, SliceSet, gather_slices
from .truth import TrueSlices

_DECAY_EPOCHS = 7
_TOGETHER = 64


@stage("classifier")
def train_classifier(
    work: Work, options: ClassifierOptions, *, cohort: Cohort, labels: Artifact, held_out: Cohort | str, weights: str,
    true_slices: str, truth: TrueSlices, offline: bool,
) -> None:  # fmt: skip
    """Train on the slices as they are; `weights` is the digest of the initial weights.

    The last epoch is kept, or that with the best accuracy on the slices of `held_out` that are labelled by `truth`
    (label use 3 of the authors' code; `true_slices` is its digest).
    """
    plain = gather_slices(work.scratch / "plain.npy", cohort, _labels_of(labels), options.image_size, options.scaling)
    _train(work, options, offline, plain, plain, 1.0, _judge(work, options, held_out, truth, len(plain)))


@stage("amda-classifier")
def retrain_classifier(
    work: Work, options: RetrainOptions, *, cohort: Cohort, labels: Artifact, cams: Artifact, regions: Artifact,
    held_out: Cohort | str, weights: str, true_slices: str, truth: TrueSlices, offline: bool,
) -> None:  # fmt: skip
    """Train from scratch on masked slices with the same labels; a share of them is shown unmasked if asked."""
    size, scaling, labelled = (options.classifier.image_size, options.classifier.scaling, _labels_of(labels))
    plain = gather_slices(work.scratch / "plain.npy", cohort, labelled, size, scaling)
    amda = Amda(options.amda, cams, regions, work.seed)
    masked = gather_slices(
        work.scratch / "masked.npy", cohort, labelled, size, scaling, amda, resize_first=amda.of_resized
    )
    judge = _judge(work, options.classifier, held_out, truth, len(plain))
    _train(work, options.classifier, offline, plain, masked, options.amda.unmasked_share, judge)


def load_classifier(classifier: Artifact, device: str) -> tuple[nn.Module, ClassifierOptions]:
    """Return a trained classifier in evaluation mode, and the options that it was trained with."""
    return _load_classifier(classifier.folder, device)


@lru_cache(maxsize=2)
def _load_classifier(folder: Path, device: str) -> tuple[nn.Module, ClassifierOptions]:
    options = ClassifierOptions.model_validate_json((folder / "options.json").read_text(encoding="utf-8"))
    network = build_classifier(options.network, width=options.width, head=options.head)
    load_network(folder / "classifier.safetensors", network)
    return network.to(device).eval(), options


def _labels_of(labels: Artifact) -> LabelsOf:
    return lambda case_id: labelled_slices(labels, case_id)


def _judge(
    work: Work, options: ClassifierOptions, cohort: Cohort | str, truth: TrueSlices, slices: int
) -> Validation | None:
    """Return how an epoch is judged: by its accuracy on truly labelled slices; None where the last one is kept."""
    if isinstance(cohort, str):
        return None

    def labelled(case_id: str) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        shown = np.flatnonzero(cohort[case_id].brain.any(axis=(0, 1)))
        return shown, truth.by_case[case_id][shown]

    shown_slices = gather_slices(work.scratch / "held-out.npy", cohort, labelled, options.image_size, options.scaling)

    def accuracy(network: nn.Module) -> float:
        right = 0
        for start in range(0, len(shown_slices), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            pictures = torch.from_numpy(np.array(shown_slices.pictures[part])).to(work.device)
            called = network(network_input(pictures.float(), options.values)).argmax(dim=1).cpu().numpy()
            right += int((called == shown_slices.tumour[part]).sum())
        return right / max(1, len(shown_slices))

    return Validation(accuracy, every=steps_an_epoch(slices, options.batch))


def _train(
    work: Work,
    options: ClassifierOptions,
    offline: bool,
    plain: SliceSet,
    masked: SliceSet,
    unmasked_share: float,
    judge: Validation | None,
) -> None:
    an_epoch = steps_an_epoch(len(plain), options.batch)
    steps = options.epochs * an_epoch
    with seeded_torch(work.seed):
        network = build_classifier(
            options.network, weights=options.weights, offline=offline, width=options.width, head=options.head
        )
    log = fit_network(
        network,
        batch_for=_batches(work.seed, options, plain, masked, unmasked_share),
        loss_of=lambda network, batch: _cross_entropy(network, batch, options.values),
        optimizer_of=lambda parameters: torch.optim.Adam(parameters, lr=options.learning_rate),
        learning_rate_of=_schedule(options, an_epoch),
        steps=steps,
        work=work,
        validation=judge,
        name="classifier",
    )
    save_network(work.folder / "classifier.safetensors", network)
    write_json(work.folder / "options.json", options.model_dump(mode="json"))
    write_json(
        work.folder / "training.json",
        {"steps": steps, "kept_step": log.kept_step, "slices": len(plain), "final_loss": log.final_loss},
    )


def _schedule(options: ClassifierOptions, an_epoch: int) -> Callable[[int], float] | None:
    if options.schedule == "one-cycle":
        return one_cycle(options.learning_rate, options.epochs * an_epoch)
    if options.schedule == "step":
        return lambda step: options.learning_rate * 0.1 ** (step // (_DECAY_EPOCHS * an_epoch))
    return None


def _batches(
    seed: int, options: ClassifierOptions, plain: SliceSet, masked: SliceSet, unmasked_share: float
) -> Callable[[int], Batch]:
    """Batches as a function of the step."""

    def batch_for(step: int) -> Batch:
        chosen = samples_of(step, seed, len(plain), options.batch)
        rng = step_generator(seed, step)
        as_they_are = rng.random(len(chosen)) < unmasked_share
        pictures = np.where(as_they_are[:, None, None], plain.pictures[chosen], masked.pictures[chosen])
        if options.mirror:
            mirrored = rng.random(len(chosen)) < 0.5
            pictures = np.where(mirrored[:, None, None], pictures[:, :, ::-1], pictures)
        return torch.from_numpy(pictures), torch.from_numpy(plain.tumour[chosen].astype(np.int64))

    return batch_for


def _cross_entropy(network: nn.Module, batch: Batch, values: InputRange) -> Tensor:
    pictures, tumour = batch
    return functional.cross_entropy(network(network_input(pictures.float(), values)), tumour)
