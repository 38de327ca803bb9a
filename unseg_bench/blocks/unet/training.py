"""A U-Net as a stage of a method: trained on labelled cases, then asked for the tumour of a volume."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from unseg_bench.blocks.components import largest_component, surest_component
from unseg_bench.blocks.overlap import dice
from unseg_bench.blocks.patches import PatchSampler
from unseg_bench.blocks.resample import Spacing, resample_to_shape
from unseg_bench.blocks.training import (
    Batch,
    TrainingLog,
    Validation,
    fit_network,
    load_network,
    schedule_of,
    seeded_torch,
)
from unseg_bench.blocks.unet.networks import (
    Network,
    deeply_supervised,
    draw_kaiming,
    dynunet3d,
    predict_sliding,
    predict_whole,
    segmentation_loss,
    unet3d,
)
from unseg_bench.blocks.unet.options import MIRROR_AXES, UNetInference, UNetOptions
from unseg_bench.blocks.working_cases import Cases, LabelledCase, WorkingCases, working_shape
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Work


def build_unet(options: UNetOptions, seed: int = 0) -> Network:
    """Return the untrained network of `options`, its weights drawn from `seed`."""
    o = options
    basics = (o.channels, o.norm, o.dropout)
    prior, affine = o.foreground_prior, o.norm_affine
    with seeded_torch(seed):
        if o.network == "dynunet":
            network = dynunet3d(*basics, foreground_prior=prior, deep_supervision=o.deep_supervision, affine=affine)
        else:
            network = unet3d(
                *basics, foreground_prior=prior, half_grid=o.half_grid, affine=affine, upsampling=o.upsampling
            )
        if o.initialisation == "kaiming":
            draw_kaiming(network)
    return network


def train_unet(
    work: Work, options: UNetOptions, cases: Cases, name: str = "unet", *, validation: Cases = ()
) -> tuple[Network, TrainingLog]:
    """Train a new network on `cases` for all its steps and return it with the weights that `options.keep` says.

    `validation`: looked at for keep 'best-validation-dice' only. Neither it nor `cases` is held in memory if they open
    a case when it is looked at (`CohortCases`). The same (work.seed, options, cases) give the same weights. Raises
    RunError when there is no case, no case has any tumour, or the loss is not finite.
    """
    _require_tumour(cases, name)
    chooser = _validation(options, validation, name)
    steps = options.steps_for(len(cases))
    sampler = PatchSampler(
        WorkingCases(cases, options.spacing_mm, work.scratch / f"{name}-cases"),
        options.patch,
        options.batch,
        work.seed,
        foreground_share=options.foreground_share,
        orientation=options.orientation,
        augmentation=options.augmentation,
    )
    network = build_unet(options, work.seed)
    log = fit_network(
        network,
        batch_for=sampler,
        loss_of=_loss(options),
        optimizer_of=_optimizer(options),
        steps=steps,
        learning_rate_of=schedule_of(options.schedule, options.learning_rate, steps),
        work=work,
        name=name,
        precision=options.precision,
        validation=chooser,
    )
    return network, log


def load_unet(path: Path, options: UNetOptions, device: str) -> Network:
    """Return the network of `options` with the weights of the safetensors file `path`, on `device`."""
    network = build_unet(options)
    load_network(path, network)
    return network.to(device).eval()


def predict_unet(
    network: nn.Module, options: UNetOptions, inference: UNetInference, image: Image, spacing_mm: Spacing
) -> Image:
    """Return the tumour probability (X, Y, Z), float32, on the image's own grid."""
    shape = working_shape(image.shape, spacing_mm, options.spacing_mm)
    small = resample_to_shape(image, shape)
    axes = MIRROR_AXES[inference.mirror]
    if inference.way == "resized":
        probability = predict_whole(network, small, options.patch, "nearest", axes)
    else:
        probability = predict_sliding(network, small, options.patch if inference.way == "sliding" else None, 0.5, axes)
    x, y, z = image.shape
    return resample_to_shape(probability, (x, y, z))


def segment_unet(network: nn.Module, options: UNetOptions, inference: UNetInference, volume: Volume) -> Mask:
    """Return the tumour (X, Y, Z) of a volume: probability above the threshold, inside the brain."""
    if not volume.brain.any():
        return volume.empty_mask()
    probability = predict_unet(network, options, inference, volume.image, volume.spacing_mm)
    mask = (probability > inference.threshold) & volume.brain
    if inference.component == "largest":
        return largest_component(mask)
    return surest_component(mask, probability, inference.threshold) if inference.component == "surest" else mask


def _validation(options: UNetOptions, cases: Cases, name: str) -> Validation | None:
    """Score a network by its mean Dice over `cases`, each on its own grid; raises RunError when there are none."""
    if options.keep == "last":
        return None
    if not len(cases):
        raise RunError(
            f"'{name}' is to keep the weights of the best validation Dice, and has no validation case; give the data "
            "set a validation part, or set keep to 'last'"
        )
    inference = UNetInference(way=options.validate_way)

    def score(network: nn.Module) -> float:
        return sum(_dice(network, options, inference, cases[number]) for number in range(len(cases))) / len(cases)

    return Validation(score, options.validate_every)


def _dice(network: nn.Module, options: UNetOptions, inference: UNetInference, case: LabelledCase) -> float:
    """Dice of the network's mask with the case's label; 1 where both are empty."""
    mask = (predict_unet(network, options, inference, case.image, case.spacing_mm) > inference.threshold) & case.brain
    return dice(mask, case.label, empty=1.0)


def _require_tumour(cases: Cases, name: str) -> None:
    if not len(cases):
        raise RunError(f"'{name}' has no case to learn from; give the data set a training part")
    if not any(cases[number].label.any() for number in range(len(cases))):
        raise RunError(
            f"'{name}' has {len(cases)} training cases and all their labels are empty: nothing can be learned. "
            "Look at the stage that made the labels."
        )


def _loss(options: UNetOptions) -> Callable[[nn.Module, Batch], Tensor]:
    measure = segmentation_loss(options.loss)
    if options.deep_supervision:
        measure = deeply_supervised(measure)

    def loss_of(network: nn.Module, batch: Batch) -> Tensor:
        images, labels = batch
        return measure(network(images), labels.long())

    return loss_of


def _optimizer(options: UNetOptions) -> Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]:
    if options.optimizer == "sgd":
        return lambda parameters: torch.optim.SGD(
            parameters,
            options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
            nesterov=options.nesterov,
        )
    return lambda parameters: torch.optim.AdamW(parameters, options.learning_rate, weight_decay=options.weight_decay)
