"""Stage II: real scans teach where mask and residual agree and the layers add up to the image again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from unseg_bench import Artifact, Mask, MethodOptions, RunError, Work, stage, write_json
from unseg_bench.blocks.components import keep_components
from unseg_bench.blocks.otsu import otsu
from unseg_bench.blocks.overlap import dice
from unseg_bench.blocks.training import Batch, fit_network, save_network, step_seed

from .apart import take_apart
from .batches import LabelledBatches, SimulatedBatches
from .layers import Layers, on_shared_scale, recomposition_error, residual
from .network import MASK, Targets, dice_loss, read_network, restoration_loss
from .options import NetworkOptions, Scale, SimulationOptions, TrainingOptions
from .samples import source_of
from .stage_one import FACTS, WEIGHTS, adam
from .volumes import Brain, Brains

_CASES = "cases.json"


class LabellingOptions(MethodOptions):
    """What the labelling of real cases reads."""

    network: NetworkOptions
    scale: Scale
    mirror: bool
    keep_share: float


class StageTwoOptions(MethodOptions):
    """What a round of adaptation reads, the last three of `AdaptationOptions`: not how many rounds there may be.

    `number`: from 1; each round draws simulations of its own.
    """

    network: NetworkOptions
    simulation: SimulationOptions
    training: TrainingOptions
    number: int
    steps: int
    share: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Verified:
    """What `label_cases` found. `errors`: of recomposition; `voxels`: of the pseudo-label, both by case."""

    errors: Mapping[str, float]
    voxels: Mapping[str, int]

    def kept(self, share: float) -> tuple[str, ...]:
        """Return that share of the cases, at least one, with the lowest errors; never one without a pseudo-label."""
        usable = sorted((error, case_id) for case_id, error in self.errors.items() if self.voxels[case_id])
        chosen = {case_id for _, case_id in usable[: max(1, round(share * len(self.errors)))]}
        return tuple(case_id for case_id in self.errors if case_id in chosen)


def pseudo_label(layers: Layers, one: Brain, keep_share: float) -> Mask:
    """Return where the predicted mask and the bright residual agree, without its small pieces.

    The residual is cut at Otsu's threshold inside the brain. Published as a drawing; the rule is ours.
    """
    difference = residual(layers, one.image, one.brain)
    bright = difference > otsu(difference[one.brain])
    return keep_components((layers.probability > 0.5) & bright & one.brain, keep_share)


@stage("sim2real-pseudo-labels", seeded=False)
def label_cases(work: Work, options: LabellingOptions, *, brains: Artifact, network: Artifact) -> None:
    """Write `<case>.mask.npy` and `<case>.label.npy`, (X, Y, Z) bool of the network's size, and `cases.json`.

    Raises RunError when every mask is empty, or every pseudo-label.
    """
    cases = Brains(brains)
    restorer = read_network(network.path(WEIGHTS), options.network, work.device)
    errors, voxels, masked = dict[str, float](), dict[str, int](), 0
    for done, case_id in enumerate(cases.case_ids):
        work.progress(done, len(cases), case_id)
        one = cases.of(case_id)
        outputs = take_apart(restorer, one, options.scale, mirror=options.mirror)
        layers = on_shared_scale(outputs, one.image, one.brain, options.scale)
        mask, label = (layers.probability > 0.5) & one.brain, pseudo_label(layers, one, options.keep_share)
        for name, array in {"mask": mask, "label": label}.items():
            np.save(work.folder / f"{case_id}.{name}.npy", array, allow_pickle=False)
        errors[case_id] = recomposition_error(layers, one.image, one.brain)
        voxels[case_id], masked = int(np.count_nonzero(label)), masked + int(np.count_nonzero(mask))
    if not any(voxels.values()):
        what = "mask and bright residual agree nowhere" if masked else "the network finds no tumour"
        raise RunError(
            f"stage 'sim2real-pseudo-labels': {what} in any of {len(cases)} training cases; train stage I longer "
            "(training.steps), or look at the simulated tumours (simulation.mixing)"
        )
    write_json(work.folder / _CASES, {"errors": errors, "voxels": voxels})


def read_verified(labels: Artifact) -> Verified:
    """Read the numbers of `label_cases`."""
    return Verified(**json.loads(labels.path(_CASES).read_text(encoding="utf-8")))


def change(before: Artifact, after: Artifact) -> float:
    """1 - Dice between two labellings' predicted masks, mean over their cases (0-1)."""
    cases = read_verified(before).errors
    return 1.0 - float(
        np.mean([dice(before.array(f"{case_id}.mask"), after.array(f"{case_id}.mask"), empty=1.0) for case_id in cases])
    )


@stage("sim2real-stage-2")
def adapt(
    work: Work, options: StageTwoOptions, *, network: Artifact, brains: Artifact, labels: Artifact, **made_of: Artifact
) -> None:
    """Teach a network its own verified pseudo-labels beside fresh simulations; write what stage I writes.

    Half of a batch (at least one) is real and has the mask's Dice for its loss; half is simulated and has all five
    terms. `made_of`: of samples (see `source_of`). Raises RunError when the network comes to find nothing.
    """
    training = options.training
    half, seed = max(1, training.batch // 2), step_seed(work.seed, options.number)
    kept = read_verified(labels).kept(options.share)
    source = source_of(options.simulation, made_of, held_out=False)
    simulated = SimulatedBatches(source, half, seed, training.scale)
    real = LabelledBatches(Brains(brains), labels, kept, half, seed, training.scale)
    adapted = read_network(network.path(WEIGHTS), options.network, work.device)
    log = fit_network(
        adapted,
        batch_for=lambda step: (*simulated(step), *real(step)),
        loss_of=_loss,
        optimizer_of=adam(options.learning_rate, training.weight_decay),
        steps=options.steps,
        work=work,
        name="adapted",
        precision=training.precision,
    )
    _require_tumour(adapted, Brains(brains), kept, options)
    save_network(work.folder / WEIGHTS, adapted)
    write_json(work.folder / FACTS, {"final_loss": log.final_loss, "cases": list(kept)})


def _loss(network: nn.Module, batch: Batch) -> Tensor:
    images, layers, mask, counted, real, labels = batch
    outputs, count = network(torch.cat([images, real])), len(images)
    return restoration_loss(outputs[:count], Targets(layers, mask, counted)) + dice_loss(outputs[count:, MASK], labels)


def _require_tumour(network: nn.Module, brains: Brains, kept: tuple[str, ...], options: StageTwoOptions) -> None:
    scale, number = options.training.scale, options.number
    for case_id in kept:
        one = brains.of(case_id)
        if ((take_apart(network, one, scale, mirror=False).probability > 0.5) & one.brain).any():
            return
    raise RunError(
        f"stage 'sim2real-stage-2', round {number}: the adapted network finds no tumour in any of the {len(kept)} "
        "cases that it learned from; lower adaptation.learning_rate, or set adaptation.rounds=0"
    )
