"""The stage that trains a constrained VAE on normal slices."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from unseg_bench.blocks.constrained_vae.losses import attention_map, constraint_loss, enlarged, vae_loss
from unseg_bench.blocks.constrained_vae.maps import small_maps
from unseg_bench.blocks.constrained_vae.network import ConstrainedVae
from unseg_bench.blocks.constrained_vae.options import FitOptions, LossOptions, MapKind
from unseg_bench.blocks.constrained_vae.slices import LearnedSlices, eroded, gather_pictures
from unseg_bench.blocks.slices import Pictures
from unseg_bench.blocks.training import (
    Batch,
    TrainingLog,
    fit_network,
    samples_of,
    save_network,
    seeded_torch,
    steps_an_epoch,
)
from unseg_bench.data.atomic import write_json
from unseg_bench.data.cohort import Cohort
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Work, stage

_TOGETHER = 32


@stage("constrained-vae")
def train_vae(work: Work, options: FitOptions, *, cohort: Cohort, normal: Artifact) -> None:
    """Train on the normal slices of a cohort; `normal`: `<case>.npy`, (Z,) bool.

    Writes `vae.safetensors`, `training.json` and, where grey values are matched, `reference.npy`. Raises RunError when
    there is no slice, or when the training ends before its constraint begins.
    """
    slices = gather_pictures(work.scratch / "pictures.npy", cohort, normal, options.slices)
    an_epoch = steps_an_epoch(len(slices.pictures), options.training.batch)
    steps, start = options.training.epochs * an_epoch, constraint_start(options.loss, an_epoch)
    if options.loss.constraint_weight and start >= steps:
        raise RunError(
            f"stage 'constrained-vae': the constraint begins after step {start}, and the training has {steps}; raise "
            "training.epochs, or lower loss.warm_up_epochs or loss.warm_up_steps"
        )
    with seeded_torch(work.seed):
        network = ConstrainedVae(options.network, options.slices.size)
    log = fit_network(
        network,
        batch_for=batches(work.seed, options, slices.pictures, start),
        loss_of=loss_of(options.map, options.loss),
        optimizer_of=lambda parameters: torch.optim.Adam(parameters, lr=options.training.learning_rate),
        steps=steps,
        work=work,
        name="vae",
        precision=options.training.precision,
    )
    _write(work, options, network, slices, log, start)


def constraint_start(options: LossOptions, an_epoch: int) -> int:
    """Return the first step at which the constraint acts; it begins with an epoch."""
    pause = options.warm_up_epochs if options.warm_up_steps is None else round(options.warm_up_steps / an_epoch)
    return (pause + 1) * an_epoch


def batches(seed: int, options: FitOptions, pictures: Pictures, start: int) -> Callable[[int], Batch]:
    """Return batches as a function of the step: (pictures uint8,), from step `start` on with the region, bool (S, S).

    The region is the eroded union of the batch's brains.
    """

    def batch_for(step: int) -> Batch:
        own = np.asarray(pictures[samples_of(step, seed, len(pictures), options.training.batch)])
        if step < start or not options.loss.constraint_weight:
            return (torch.from_numpy(own),)
        region = eroded(np.any(own > 0, axis=0), options.slices.erosion_px)
        return torch.from_numpy(own), torch.from_numpy(region)

    return batch_for


def loss_of(kind: MapKind, options: LossOptions) -> Callable[[nn.Module, Batch], Tensor]:
    """Return the loss of a batch of `batches`; without a region it is the VAE's alone."""

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        pictures, *region = batch
        pictures = pictures.float() / 255.0
        coded = network(pictures)
        total = vae_loss(coded, pictures, options)
        if region:
            maps = attention_map(kind, coded.mean, coded.shallow, trains=True)
            total = total + options.constraint_weight * constraint_loss(maps, region[0], options)
        return total

    return loss


def _write(
    work: Work, options: FitOptions, network: ConstrainedVae, slices: LearnedSlices, log: TrainingLog, start: int
) -> None:
    low, high = _range_of_maps(network, options, slices.pictures, work.device)
    save_network(work.folder / "vae.safetensors", network)
    if slices.reference is not None:
        np.save(work.folder / "reference.npy", slices.reference, allow_pickle=False)
    facts = {"slices": len(slices.pictures), "steps": len(log.losses), "constraint_from_step": start}
    write_json(work.folder / "training.json", {**facts, "final_loss": log.final_loss, "low": low, "high": high})


def _range_of_maps(
    network: ConstrainedVae, options: FitOptions, pictures: Pictures, device: str
) -> tuple[float, float]:
    """Return the lowest and the highest value of the maps over the eroded brains of all slices learned from.

    Raises RunError where they are the same everywhere, or no brain is left.
    """
    low, high = np.inf, -np.inf
    for begin in range(0, len(pictures), _TOGETHER):
        part = np.asarray(pictures[begin : begin + _TOGETHER])
        maps = enlarged(small_maps(network, part, options.map, device), part.shape[-1]).cpu().numpy()
        inside = maps[eroded(part > 0, options.slices.erosion_px)]
        low, high = min(low, float(inside.min(initial=np.inf))), max(high, float(inside.max(initial=-np.inf)))
    if not low < high:
        raise RunError(
            "stage 'constrained-vae': the map is the same everywhere in all slices that were learned from, or nothing "
            "is left of their brains; lower training.learning_rate or loss.constraint_weight, or slices.erosion_px"
        )
    return low, high
