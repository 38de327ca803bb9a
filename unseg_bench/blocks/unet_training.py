"""A U-Net as a stage of a method: trained on labelled cases, then asked for the tumour of a volume."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from unseg_bench.blocks.components import largest_component, surest_component
from unseg_bench.blocks.patches import LabelledCase, PatchSampler
from unseg_bench.blocks.resample import Shape, Spacing, mask_to_shape, resample_to_shape, shape_at
from unseg_bench.blocks.training import (
    Batch,
    TrainingLog,
    fit_network,
    load_network,
    one_cycle,
    polynomial_decay,
    seeded_torch,
    use_threads,
)
from unseg_bench.blocks.unet3d import Network, predict_sliding, predict_whole, segmentation_loss, unet3d
from unseg_bench.blocks.unet_options import UNetInference, UNetOptions
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Work


def build_unet(options: UNetOptions, seed: int = 0) -> Network:
    """Return the untrained network of `options`, its weights drawn from `seed`."""
    with seeded_torch(seed):
        return unet3d(
            options.channels,
            options.norm,
            options.dropout,
            foreground_prior=options.foreground_prior,
            half_grid=options.half_grid,
        )


def train_unet(
    work: Work, options: UNetOptions, cases: Sequence[LabelledCase], name: str = "unet"
) -> tuple[Network, TrainingLog]:
    """Train a new network on `cases` for all its steps (no checkpoint is chosen) and return it.

    The same (work.seed, options, cases) give the same weights. Raises RunError when there is no case, no case has any
    tumour, or the loss is not finite.
    """
    _require_tumour(cases, name)
    use_threads()
    steps = options.steps_for(len(cases))
    sampler = PatchSampler(
        _at_working_spacing(cases, options.spacing_mm, work.scratch / f"{name}-cases"),
        options.patch,
        options.batch,
        work.seed,
        foreground_share=options.foreground_share,
        orientation=options.orientation,
        intensity=options.intensity,
    )
    network = build_unet(options, work.seed)
    measure = segmentation_loss(options.loss)

    def loss_of(network: nn.Module, batch: Batch) -> Tensor:
        images, labels = batch
        return measure(network(images), labels)

    log = fit_network(
        network,
        batch_for=sampler,
        loss_of=loss_of,
        optimizer_of=_optimizer(options),
        steps=steps,
        learning_rate_of=_schedule(options, steps),
        work=work,
        name=name,
        precision=options.precision,
    )
    return network, log


def load_unet(path: Path, options: UNetOptions, device: str) -> Network:
    """Return the network of `options` with the weights of the safetensors file `path`, on `device`."""
    network = build_unet(options)
    load_network(path, network)
    return network.to(device).eval()


def predict_unet(
    network: Network, options: UNetOptions, inference: UNetInference, image: Image, spacing_mm: Spacing
) -> Image:
    """Return the tumour probability (X, Y, Z), float32, on the image's own grid."""
    use_threads()
    shape = _working_shape(image.shape, spacing_mm, options.spacing_mm)
    small = resample_to_shape(image, shape)
    axes = (0,) if inference.mirror else ()
    if inference.way == "resized":
        probability = predict_whole(network, small, options.patch, "nearest", axes)
    else:
        probability = predict_sliding(network, small, options.patch if inference.way == "sliding" else None, 0.5, axes)
    x, y, z = image.shape
    return resample_to_shape(probability, (x, y, z))


def segment_unet(network: Network, options: UNetOptions, inference: UNetInference, volume: Volume) -> Mask:
    """Return the tumour (X, Y, Z) of a volume: probability above the threshold, inside the brain."""
    if not volume.brain.any():
        return volume.empty_mask()
    probability = predict_unet(network, options, inference, volume.image, volume.spacing_mm)
    mask = (probability > inference.threshold) & volume.brain
    if inference.component == "largest":
        return largest_component(mask)
    return surest_component(mask, probability, inference.threshold) if inference.component == "surest" else mask


def _require_tumour(cases: Sequence[LabelledCase], name: str) -> None:
    if not cases:
        raise RunError(f"'{name}' has no case to learn from; give the data set a training part")
    if not any(case.label.any() for case in cases):
        raise RunError(
            f"'{name}' has {len(cases)} training cases and all their labels are empty: nothing can be learned. "
            "Look at the stage that made the labels."
        )


def _optimizer(options: UNetOptions) -> Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]:
    if options.optimizer == "sgd":
        return lambda parameters: torch.optim.SGD(
            parameters, options.learning_rate, momentum=options.momentum, weight_decay=options.weight_decay
        )
    return lambda parameters: torch.optim.AdamW(parameters, options.learning_rate, weight_decay=options.weight_decay)


def _schedule(options: UNetOptions, steps: int) -> Callable[[int], float] | None:
    if options.schedule == "constant":
        return None
    return (polynomial_decay if options.schedule == "polynomial" else one_cycle)(options.learning_rate, steps)


def _working_shape(shape: tuple[int, ...], from_mm: Spacing, spacing_mm: float | None) -> Shape:
    x, y, z = shape
    return (x, y, z) if spacing_mm is None else shape_at((x, y, z), from_mm, (spacing_mm, spacing_mm, spacing_mm))


def _at_working_spacing(
    cases: Sequence[LabelledCase], spacing_mm: float | None, folder: Path
) -> Sequence[LabelledCase]:
    """Return the cases at the working spacing; resampled ones lie in `folder` and are memory-mapped."""
    if spacing_mm is None:
        return cases
    folder.mkdir(parents=True, exist_ok=True)
    return [_resampled(case, spacing_mm, folder / str(number)) for number, case in enumerate(cases)]


def _resampled(case: LabelledCase, spacing_mm: float, stem: Path) -> LabelledCase:
    """Resample a case unless it has that shape already."""
    shape = _working_shape(case.image.shape, case.spacing_mm, spacing_mm)
    if shape == case.image.shape:
        return case
    return LabelledCase(
        image=_mapped(stem.with_suffix(".image.npy"), resample_to_shape(case.image, shape)),
        label=_mapped(stem.with_suffix(".label.npy"), mask_to_shape(case.label, shape)),
        brain=_mapped(stem.with_suffix(".brain.npy"), mask_to_shape(case.brain, shape)),
        spacing_mm=(spacing_mm, spacing_mm, spacing_mm),
    )


def _mapped(path: Path, array: np.ndarray) -> np.ndarray:
    """Write an array and open it as a read-only memory map, as a plain array."""
    np.save(path, array, allow_pickle=False)
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
