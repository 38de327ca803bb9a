"""Stages 2 and 3: the slice classifier, trained on CLIP's labels, and again from scratch on masked slices (AMDA)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unseg_bench.blocks.classifier import build_classifier, network_input
from unseg_bench.blocks.training import (
    Batch,
    fit_network,
    load_network,
    one_cycle,
    save_network,
    seeded_torch,
    step_generator,
)
from unseg_bench.data.atomic import write_json, write_text
from unseg_bench.data.cohort import Cohort
from unseg_bench.plugins.context import Artifact, Work, stage

from .amda import Amda
from .options import ClassifierOptions, RetrainOptions
from .slice_set import SliceSet, gather_slices


@stage("classifier")
def train_classifier(
    work: Work, options: ClassifierOptions, *, cohort: Cohort, labels: Artifact, weights: str, offline: bool
) -> None:
    """Train on the slices as they are; `weights` is the digest of the initial weights. The last epoch is kept."""
    plain = gather_slices(work.scratch / "plain.npy", cohort, labels, options.image_size, options.scaling)
    _train(work, options, offline, plain, plain, 1.0)


@stage("amda-classifier")
def retrain_classifier(
    work: Work, options: RetrainOptions, *, cohort: Cohort, labels: Artifact, cams: Artifact, regions: Artifact,
    weights: str, offline: bool,
) -> None:  # fmt: skip
    """Train from scratch on masked slices with the same labels; a share of them is shown unmasked if asked."""
    size, scaling = options.classifier.image_size, options.classifier.scaling
    plain = gather_slices(work.scratch / "plain.npy", cohort, labels, size, scaling)
    amda = Amda(options.amda, cams, regions, work.seed)
    masked = gather_slices(work.scratch / "masked.npy", cohort, labels, size, scaling, amda)
    _train(work, options.classifier, offline, plain, masked, options.amda.unmasked_share)


def load_classifier(classifier: Artifact, device: str) -> tuple[nn.Module, ClassifierOptions]:
    """Return a trained classifier in evaluation mode, and the options that it was trained with."""
    options = ClassifierOptions.model_validate_json(classifier.path("options.json").read_text(encoding="utf-8"))
    network = build_classifier(options.network, width=options.width)
    load_network(classifier.path("classifier.safetensors"), network)
    return network.to(device).eval(), options


def _train(
    work: Work, options: ClassifierOptions, offline: bool, plain: SliceSet, masked: SliceSet, unmasked_share: float
) -> None:
    steps = options.epochs * _steps_an_epoch(len(plain), options.batch)
    with seeded_torch(work.seed):
        network = build_classifier(options.network, weights=options.weights, offline=offline, width=options.width)
    log = fit_network(
        network,
        batch_for=_batches(work.seed, options, plain, masked, unmasked_share),
        loss_of=_cross_entropy,
        optimizer_of=lambda parameters: torch.optim.Adam(parameters, lr=options.learning_rate),
        learning_rate_of=one_cycle(options.learning_rate, steps) if options.schedule == "one-cycle" else None,
        steps=steps,
        work=work,
        name="classifier",
    )
    save_network(work.folder / "classifier.safetensors", network)
    write_text(work.folder / "options.json", options.model_dump_json())
    write_json(work.folder / "training.json", {"steps": steps, "slices": len(plain), "final_loss": log.final_loss})


def _steps_an_epoch(slices: int, batch: int) -> int:
    return max(1, slices // batch)


def _batches(
    seed: int, options: ClassifierOptions, plain: SliceSet, masked: SliceSet, unmasked_share: float
) -> Callable[[int], Batch]:
    """Batches as a function of the step: every epoch has an order of its own, and the incomplete last batch is left."""
    an_epoch = _steps_an_epoch(len(plain), options.batch)

    def batch_for(step: int) -> Batch:
        epoch, position = divmod(step, an_epoch)
        order = step_generator(seed, -1 - epoch).permutation(len(plain))
        chosen = order[position * options.batch : (position + 1) * options.batch]
        rng = step_generator(seed, step)
        as_they_are = rng.random(len(chosen)) < unmasked_share
        pictures = np.where(as_they_are[:, None, None], plain.pictures[chosen], masked.pictures[chosen])
        if options.mirror:
            mirrored = rng.random(len(chosen)) < 0.5
            pictures = np.where(mirrored[:, None, None], pictures[:, :, ::-1], pictures)
        return torch.from_numpy(pictures), torch.from_numpy(plain.tumour[chosen].astype(np.int64))

    return batch_for


def _cross_entropy(network: nn.Module, batch: Batch) -> Tensor:
    pictures, tumour = batch
    return functional.cross_entropy(network(network_input(pictures.float())), tumour)
