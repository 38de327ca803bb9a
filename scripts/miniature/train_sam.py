"""The training loop of the miniature SAM: shapes and normal anatomy, never a tumour mask."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from segment_anything.modeling import Sam
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from unseg_bench.blocks.miniature.architecture import build_sam

from .loop import Average, Checkpoint, Cycle, learning_rate
from .phantoms import healthy_slices
from .prompts import Prompts, draw_prompts
from .scenes import SIZE, make_scenes


@dataclass(frozen=True)
class SamTraining:
    """What `settings.json` says of the SAM's training."""

    seed: int = 41
    volumes: int = 60
    steps: int = 2900
    darkest_core: tuple[float, float] = (-2.5, -4.0)
    scenes_a_step: int = 16
    prompts_a_scene: int = 2
    cycles: tuple[Cycle, ...] = (Cycle(1600, 960, 1.5e-3), Cycle(2900, 2200, 1e-3))
    weight_decay: float = 0.01
    average_decay: float = 0.995


SAM_ARCHITECTURE = {
    "image_size": SIZE,
    "dim": 64,
    "widths": [24, 64, 96, 96],
    "decoder_depth": 2,
    "decoder_heads": 4,
    "decoder_mlp_dim": 128,
}


def train_sam(folder: Path, training: SamTraining) -> dict[str, Tensor]:
    """Train (or go on from the checkpoint in `folder`) and return the averaged weights."""
    torch.manual_seed(training.seed)
    healthy = healthy_slices(folder, training.volumes)
    model = build_sam(**SAM_ARCHITECTURE)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=training.weight_decay)
    average = Average(model, training.average_decay)
    checkpoint = Checkpoint(folder / "sam_checkpoint.pt", model, optimiser, average)
    log = (folder / "sam_log.jsonl").open("a", encoding="utf-8")
    started = time.monotonic()
    for step in range(checkpoint.load(), training.steps):
        optimiser.param_groups[0]["lr"] = learning_rate(step, training.cycles)
        losses = _step(model, healthy, training, step)
        optimiser.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        average.update(step)
        if (step + 1) % 50 == 0 or step + 1 == training.steps:
            values = {name: round(float(value.detach()), 4) for name, value in losses.items()}
            log.write(json.dumps({"step": step + 1, "seconds": round(time.monotonic() - started), **values}) + "\n")
            log.flush()
        if (step + 1) % 200 == 0 or step + 1 == training.steps:
            checkpoint.save(step + 1)
    return average.weights


def _step(model: Sam, healthy: Tensor, training: SamTraining, step: int) -> dict[str, Tensor]:
    """Losses of one batch of scenes; everything random in it follows from the seed and the step's number."""
    rng = torch.Generator().manual_seed(training.seed * 1_000_003 + step)
    choice = torch.randint(len(healthy), (training.scenes_a_step,), generator=rng)
    darkest = training.darkest_core[step >= training.cycles[0].until]
    scenes = make_scenes(healthy[choice].float(), darkest, rng)
    features = model.image_encoder(model.preprocess(scenes.pictures[:, None].expand(-1, 3, -1, -1)))
    numpy_rng = np.random.default_rng([training.seed, step])
    parts = [
        _losses(*predict(model, features, prompts), prompts.masks)
        for prompts in (draw_prompts(scenes, numpy_rng) for _ in range(training.prompts_a_scene))
    ]
    return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}


def predict(model: Sam, features: Tensor, prompts: Prompts) -> tuple[Tensor, Tensor]:
    """All four masks' logits (N, 4, S, S) and IoU predictions (N, 4), one prompt for each image of the batch.

    The package's decoder takes one image and many prompts; with one prompt an image its own steps are taken in a batch.
    """
    points = None if prompts.points is None else (prompts.points, prompts.labels)
    sparse, dense = model.prompt_encoder(points=points, boxes=prompts.boxes, masks=None)
    decoder = model.mask_decoder
    outputs = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([outputs.expand(len(features), -1, -1), sparse], 1)
    positions = model.prompt_encoder.get_dense_pe().expand(len(features), -1, -1, -1)
    hidden, image = decoder.transformer(features + dense, positions, tokens)
    image = decoder.output_upscaling(image.transpose(1, 2).reshape(features.shape))
    kernels = torch.stack(
        [head(hidden[:, 1 + index]) for index, head in enumerate(decoder.output_hypernetworks_mlps)], dim=1
    )
    return torch.einsum("nkc,nchw->nkhw", kernels, image), decoder.iou_prediction_head(hidden[:, 0])


def _losses(logits: Tensor, quality: Tensor, masks: Tensor) -> dict[str, Tensor]:
    """Mask loss of the single mask, of the best of the three others, and of the predicted IoU."""
    truth = masks[:, None].expand_as(logits)
    pixel = binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((2, 3))
    share = logits.sigmoid()
    overlap = (share * truth).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (share.sum((2, 3)) + truth.sum((2, 3)) + 1)
    mask_loss = dice + 4 * pixel
    hard = (logits > 0).float()
    both = (hard * truth).sum((2, 3))
    iou = both / (hard.sum((2, 3)) + truth.sum((2, 3)) - both).clamp_min(1)
    single, best = mask_loss[:, 0].mean(), mask_loss[:, 1:].amin(1).mean()
    iou_loss = mse_loss(quality, iou)
    loss = single + 0.3 * best + 0.3 * iou_loss
    return {"loss": loss, "single": single, "best_of_three": best, "iou_error": iou_loss, "dice": 1 - dice[:, 0].mean()}


def settings(training: SamTraining) -> dict[str, object]:
    """The SAM's part of `settings.json`."""
    return {"architecture": SAM_ARCHITECTURE, "training": asdict(training)}
