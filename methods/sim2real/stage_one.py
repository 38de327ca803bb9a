"""Stage I: a network learns to take simulated tumours off their brains."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from unseg_bench import Artifact, MethodOptions, RunError, Work, stage, write_json
from unseg_bench.blocks.overlap import dice
from unseg_bench.blocks.resample import mask_to_shape
from unseg_bench.blocks.training import (
    Batch,
    Validation,
    fit_network,
    save_network,
    schedule_of,
    step_generator,
)

from .apart import take_apart
from .batches import SimulatedBatches
from .layers import on_shared_scale, recomposition_error
from .network import Targets, build_network, restoration_loss
from .options import NetworkOptions, Scale, SimulationOptions, TrainingOptions
from .samples import Source, source_of
from .volumes import Brain, Brains

WEIGHTS, FACTS = "network.safetensors", "training.json"
_PROBES = 8


class StageOneOptions(MethodOptions):
    """What stage I reads."""

    network: NetworkOptions
    simulation: SimulationOptions
    training: TrainingOptions


@stage("sim2real-stage-1")
def learn_to_restore(
    work: Work, options: StageOneOptions, *, validation: Artifact | str, masks: Artifact | str, **made_of: Artifact
) -> None:
    """Write `network.safetensors` and `training.json`: the losses' end, what was kept, Dice on held-out simulations.

    `validation`: stretched brains; `masks`: references of the validation cases; what is not needed is ''. `made_of`: of
    samples (see `source_of`). Raises RunError when the loss is not finite, and when the network finds nothing in any
    held-out simulation.
    """
    training = options.training
    network = build_network(options.network, work.seed)
    source = source_of(options.simulation, made_of, held_out=False)
    log = fit_network(
        network,
        batch_for=SimulatedBatches(source, training.batch, work.seed, training.scale),
        loss_of=_loss,
        optimizer_of=adam(training.learning_rate, training.weight_decay),
        steps=training.steps,
        learning_rate_of=schedule_of(training.schedule, training.learning_rate, training.steps),
        work=work,
        name="restorer",
        precision=training.precision,
        validation=_validation(training, validation, masks),
    )
    unseen = source_of(options.simulation, made_of, held_out=True)
    dice = simulated_dice(network, unseen, training.scale, work.seed, training.steps)
    if not any(dice):
        raise RunError(
            f"stage 'sim2real-stage-1': after {training.steps} steps the network finds none of {_PROBES} simulated "
            "tumours; train it longer (training.steps), or faster (training.learning_rate)"
        )
    save_network(work.folder / WEIGHTS, network)
    facts = {
        "final_loss": log.final_loss, "kept_step": log.kept_step, "scores": log.scores,
        "simulated_dice": float(np.mean(dice)),
    }  # fmt: skip
    write_json(work.folder / FACTS, facts)


def adam(learning_rate: float, weight_decay: float) -> Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]:
    """Return the authors' optimiser."""
    return lambda parameters: torch.optim.Adam(parameters, learning_rate, weight_decay=weight_decay)


def simulated_dice(network: nn.Module, source: Source, scale: Scale, seed: int, step: int) -> list[float]:
    """Dice of the network's mask in simulations drawn from (seed, step): of its own task, so without a label."""
    rng = step_generator(seed, step)
    found: list[float] = []
    for _ in range(_PROBES):
        sample = source.draw(rng)
        one = Brain(sample.mixed, sample.brain, (1.0, 1.0, 1.0), sample.counted)
        mask = (take_apart(network, one, scale, mirror=False).probability > 0.5) & sample.counted
        found.append(dice(mask, sample.mask, empty=1.0))
    return found


def mean_error(network: nn.Module, brains: Brains, scale: Scale) -> float:
    """Mean recomposition error of unlabelled cases, on the shared scale."""
    errors: list[float] = []
    for number in range(len(brains)):
        one = brains[number]
        layers = on_shared_scale(take_apart(network, one, scale, mirror=False), one.image, one.brain, scale)
        errors.append(recomposition_error(layers, one.image, one.brain))
    return float(np.mean(errors))


def _loss(network: nn.Module, batch: Batch) -> Tensor:
    images, layers, mask, counted = batch
    return restoration_loss(network(images), Targets(layers, mask, counted))


def _validation(training: TrainingOptions, validation: Artifact | str, masks: Artifact | str) -> Validation | None:
    """Score by the recomposition of unlabelled cases (lower is better), or by Dice with references."""
    if not isinstance(validation, Artifact):
        return None
    brains = Brains(validation)
    if not isinstance(masks, Artifact):
        return Validation(lambda network: -mean_error(network, brains, training.scale), training.validate_every)

    def score(network: nn.Module) -> float:
        found = [_reference_dice(network, brains.of(case), training.scale, masks, case) for case in brains.case_ids]
        return float(np.mean(found))

    return Validation(score, training.validate_every)


def _reference_dice(network: nn.Module, one: Brain, scale: Scale, masks: Artifact, case_id: str) -> float:
    x, y, z = one.image.shape
    reference = mask_to_shape(np.array(masks.array(case_id)), (x, y, z))
    return dice((take_apart(network, one, scale, mirror=False).probability > 0.5) & one.brain, reference, empty=1.0)
