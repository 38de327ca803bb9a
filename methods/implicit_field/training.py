"""The stage that trains: network and codes together, on points of normal scans."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from unseg_bench import Artifact, Cohort, RunError, Work, stage, write_json
from unseg_bench.blocks.training import (
    Batch,
    fit_network,
    load_network,
    save_network,
    seeded_torch,
    step_generator,
)

from .classes import Scan, allowed_slices, class_count, read_centres, to_scan
from .network import AutoDecoder, Field, cap
from .options import LearningOptions, NetworkOptions, ScanOptions, TrainingOptions
from .points import ScanSet

_NETWORK, _CODES, _FACTS = "field.safetensors", "codes.npy", "training.json"


@stage("implicit-field")
def train_field(
    work: Work, options: LearningOptions, *, cohort: Cohort, slices: Artifact | str, classes: Artifact
) -> None:
    """Write the network, the training scans' codes (N, C), and `training.json`.

    `slices`: which slices of each case are normal, points come from no others; '' for all. Raises RunError when no scan
    has a normal voxel.
    """
    centres = read_centres(classes)
    scans = _scan_set(work, options, cohort, slices, centres)
    network = build(options.network, options.scan, centres, len(scans), work.seed)
    steps = options.training.steps_for(len(scans))
    log = fit_network(
        network,
        batch_for=batches(options.training, len(scans), steps, work.seed),
        loss_of=loss_on(scans, options.training.points),
        optimizer_of=optimizer(network, options.training),
        learning_rate_of=lambda step: options.training.learning_rate * halved(step, steps),
        steps=steps,
        work=work,
        name="field",
        precision=options.network.precision,
    )
    save_network(work.folder / _NETWORK, network.field)
    np.save(work.folder / _CODES, network.codes.detach().cpu().numpy(), allow_pickle=False)
    facts = {"scans": len(scans), "steps": steps, "final_loss": log.final_loss, "seed": work.seed}
    write_json(work.folder / _FACTS, {**facts, "centres": centres.tolist()})


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What `train_field` left: the network on a device, in evaluation mode and frozen, with its classes."""

    field: Field
    centres: NDArray[np.float32]
    seed: int


def load_field(trained: Artifact, network: NetworkOptions, scan: ScanOptions, device: str) -> Trained:
    """Return the network that `train_field` wrote."""
    facts = json.loads(trained.path(_FACTS).read_text(encoding="utf-8"))
    centres = np.array(facts["centres"], dtype=np.float32)
    field = build(network, scan, centres, 1, 0).field
    load_network(trained.path(_NETWORK), field)
    return Trained(field.to(device).eval().requires_grad_(False), centres, int(facts["seed"]))


def build(
    options: NetworkOptions, scan: ScanOptions, centres: NDArray[np.float32], scans: int, seed: int
) -> AutoDecoder:
    """Return an untrained network with codes for so many scans, all drawn from `seed`."""
    with seeded_torch(seed):
        return AutoDecoder(Field(options, options.octaves_for(scan.side), class_count(centres, scan)), scans)


def batches(options: TrainingOptions, scans: int, steps: int, seed: int) -> Callable[[int], Batch]:
    """Batches as a function of the step: numbers of scans (B,), and the weight of their codes' norm (1,)."""
    together = min(options.scans, scans)

    def batch_for(step: int) -> Batch:
        chosen = step_generator(seed, step).choice(scans, together, replace=False)
        grown = min(1.0, 20.0 * step / steps)
        return torch.from_numpy(chosen), torch.tensor([options.code_penalty * grown])

    return batch_for


def loss_on(scans: ScanSet, points: int) -> Callable[[nn.Module, Batch], Tensor]:
    """Mean cross-entropy of new points of the scans, drawn on the device, plus the weighted norm of their codes.

    The published sums differ from it by a factor that Adam does not see.
    """

    def loss_of(network: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(network, AutoDecoder)  # noqa: S101 - it is what `fit_network` was given
        chosen, weight = batch
        places, classes = scans.draw(chosen, points)
        codes = network.codes[chosen]
        logits = network.field(codes, places)
        return functional.cross_entropy(logits.flatten(0, 1), classes.flatten()) + weight[0] * codes.norm(dim=1).mean()

    return loss_of


def optimizer(
    network: AutoDecoder, options: TrainingOptions
) -> Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]:
    """Adam with a rate of its own for the codes, which are capped at norm 1 after each step."""

    def cap_codes(*_: object) -> None:
        cap(network.codes)

    def make(_: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
        share = options.code_learning_rate / options.learning_rate
        groups = [{"params": network.field.parameters()}, {"params": [network.codes], "rate_factor": share}]
        adam = torch.optim.Adam(groups, lr=options.learning_rate)
        adam.register_step_post_hook(cap_codes)
        return adam

    return make


def halved(step: int, steps: int) -> float:
    """Return the share of the first learning rate: halved at each quarter (published: every 500 of 2001 epochs)."""
    return 0.5 ** (4 * step // steps)


def _scan_set(
    work: Work, options: LearningOptions, cohort: Cohort, slices: Artifact | str, centres: NDArray[np.float32]
) -> ScanSet:
    scans: list[Scan] = []
    allowed: list[NDArray[np.bool_]] = []
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), f"classes of {volume.case_id}")
        if not volume.brain.any():
            continue
        scan = to_scan(volume, centres, options.scan)
        free = allowed_slices(volume, scan.cube, slices)
        if (scan.brain & free).any():
            scans.append(scan)
            allowed.append(free)
    if not scans:
        raise RunError("no training scan has a normal voxel left at this scan.side; ask for a finer cube")
    return ScanSet(scans, work.device, options.training.cube_share, allowed)
