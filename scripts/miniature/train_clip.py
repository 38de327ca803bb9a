"""The training loop of the miniature CLIP: slices of tumour-bearing and healthy phantoms with their captions."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import open_clip
import torch
from open_clip.model import CLIP
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from unseg_bench.blocks.miniature.architecture import build_clip

from .captions import NORMAL, TUMOUR
from .fields import blur, chance, place, uniform
from .intensity import distort, to_bytes, to_bytes_as_used
from .loop import Average, Checkpoint, Cycle, learning_rate
from .phantoms import captioned_slices

SIZE = 96
DISTORTION = 0.5


@dataclass(frozen=True)
class ClipTraining:
    """What `settings.json` says of the CLIP's training."""

    seed: int = 42
    volumes: int = 170
    healthy_share: float = 0.3
    fewest_tumour_pixels: int = 8
    steps: int = 1500
    gentle_from: int = 800
    gentle_share: float = 0.8
    slices_a_step: int = 64
    cycles: tuple[Cycle, ...] = (Cycle(950, 800, 2e-3), Cycle(1500, 1150, 1e-3))
    weight_decay: float = 0.05
    average_decay: float = 0.995
    word_dropout: float = 0.1


CLIP_ARCHITECTURE = {
    "image_size": SIZE,
    "vision_width": 16,
    "vision_layers": [1, 1, 1, 1],
    "text_width": 24,
    "text_heads": 1,
    "text_layers": 2,
    "embed_dim": 64,
}


def train_clip(folder: Path, training: ClipTraining) -> dict[str, Tensor]:
    """Train (or go on from the checkpoint in `folder`) and return the averaged weights."""
    torch.manual_seed(training.seed)
    slices, pixels = captioned_slices(folder, training.volumes, training.healthy_share)
    normal, tumour = slices[pixels == 0], slices[pixels >= training.fewest_tumour_pixels]
    tokens = open_clip.SimpleTokenizer()([*NORMAL, *TUMOUR])
    model = build_clip(**CLIP_ARCHITECTURE)
    forget_unseen_words(model, tokens)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=training.weight_decay)
    average = Average(model, training.average_decay)
    checkpoint = Checkpoint(folder / "clip_checkpoint.pt", model, optimiser, average)
    log = (folder / "clip_log.jsonl").open("a", encoding="utf-8")
    started = time.monotonic()
    for step in range(checkpoint.load(), training.steps):
        optimiser.param_groups[0]["lr"] = learning_rate(step, training.cycles)
        losses = _step(model, normal, tumour, tokens, training, step)
        optimiser.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        model.logit_scale.data.clamp_(0, 3.0)
        average.update(step)
        if (step + 1) % 50 == 0 or step + 1 == training.steps:
            values = {name: round(float(value.detach()), 4) for name, value in losses.items()}
            log.write(json.dumps({"step": step + 1, "seconds": round(time.monotonic() - started), **values}) + "\n")
            log.flush()
        if (step + 1) % 200 == 0 or step + 1 == training.steps:
            checkpoint.save(step + 1)
    return average.weights


def forget_unseen_words(model: CLIP, tokens: Tensor) -> None:
    """Set the embedding of words in no caption to zero, where it stays: an unknown word then says nothing."""
    seen = torch.zeros(model.vocab_size, dtype=torch.bool)
    seen[tokens.unique()] = True
    with torch.no_grad():
        model.token_embedding.weight[~seen] = 0


def _step(
    model: CLIP, normal: Tensor, tumour: Tensor, tokens: Tensor, training: ClipTraining, step: int
) -> dict[str, Tensor]:
    """Losses of one batch; everything random in it follows from the seed and the step's number."""
    rng = torch.Generator().manual_seed(training.seed * 1_000_003 + step)
    half = training.slices_a_step // 2
    chosen = [kind[torch.randint(len(kind), (half,), generator=rng)] for kind in (normal, tumour)]
    labels = torch.arange(2).repeat_interleave(half)
    gentle_share = training.gentle_share if step >= training.gentle_from else 0.0
    pictures = picture(torch.cat(chosen).float(), gentle_share, rng)
    features = model.encode_image((pictures / 255 - 0.5)[:, None].expand(-1, 3, -1, -1) / 0.25)
    images = normalize(features, dim=-1)
    texts = model.encode_text(_drop_words(tokens, training.word_dropout, rng), normalize=True)
    logits = model.logit_scale.exp() * images @ texts.T
    per_class = len(NORMAL)
    # Every caption of the right kind is a right answer; and one caption of each kind, drawn anew, must decide alone.
    right = logits.log_softmax(1).unflatten(1, (2, per_class)).logsumexp(2)
    contrastive = -right.gather(1, labels[:, None]).mean()
    first = torch.rand((), generator=rng) < 0.3
    asked = [0, 0] if first else torch.randint(per_class, (2,), generator=rng).tolist()
    pair = logits[:, [asked[0], per_class + asked[1]]]
    decision = cross_entropy(pair, labels, label_smoothing=0.05)
    correct = (pair.argmax(1) == labels).float().mean()
    return {"loss": contrastive + decision, "contrastive": contrastive, "decision": decision, "accuracy": correct}


def picture(z: Tensor, gentle_share: float, rng: torch.Generator) -> Tensor:
    """Slices (N, 112, 112) of brain z-scores, -99 outside -> augmented pictures (N, 96, 96) of 0 ... 255.

    `gentle_share` of them have hardly any change of intensities.
    """
    count = len(z)
    known = (z > -50).float()
    both = torch.stack([z * known, known], 1)
    both = torch.rot90(both, int(torch.randint(4, (1,), generator=rng)), (2, 3))
    placed = place(
        both,
        SIZE,
        zoom=uniform(0.8, 1.35, (count,), rng),
        angle=0.2 * torch.randn((count,), generator=rng),
        shift=uniform(-0.1, 0.1, (count, 2), rng),
        flip=chance(0.5, (count,), rng),
    )
    brain = placed[:, 1] > 0.5
    z = torch.where(brain, placed[:, 0] / placed[:, 1].clamp_min(0.5), 0.0)
    soft = uniform(0, 1, (count, 1, 1), rng) * chance(0.5, (count, 1, 1), rng)
    z = torch.where(brain, (1 - soft) * z + soft * blur(z, 0.9), z)
    varied = to_bytes(distort(z, brain, DISTORTION, rng), brain, rng)
    if gentle_share == 0:
        return varied
    gentle = to_bytes_as_used(z, brain, rng)
    return torch.where(chance(gentle_share, (count, 1, 1), rng), gentle, varied)


def _drop_words(tokens: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Replace some words of each caption by the padding token; its start and end stay."""
    ends = tokens.argmax(1, keepdim=True)
    inside = (torch.arange(tokens.shape[1]) > 0) & (torch.arange(tokens.shape[1]) < ends)
    return torch.where(inside & chance(share, tuple(tokens.shape), rng), 0, tokens)


def settings(training: ClipTraining) -> dict[str, object]:
    """The CLIP's part of `settings.json`."""
    return {
        "architecture": CLIP_ARCHITECTURE,
        "preprocessing": {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic"},
        "captions": {"normal": NORMAL, "tumour": TUMOUR},
        "training": asdict(training),
    }
