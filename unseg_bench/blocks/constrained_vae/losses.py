"""What a constrained VAE is trained by: its two maps, the VAE's loss on two scales, and the two constraints.

Source: the two repositories named in `constrained_vae_options`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from unseg_bench.blocks.constrained_vae.network import Coded
from unseg_bench.blocks.constrained_vae.options import LossOptions, MapKind


def attention_map(kind: MapKind, mean: Tensor, shallow: Tensor, *, trains: bool = False) -> Tensor:
    """Return the map (N, s, s) of a batch, float32, of latent means (N, latent) and stage 1 (N, C, s, s).

    `trains`: keep the graph of the Grad-CAM's gradient, so that a loss of the map reaches the weights through it.
    """
    if kind == "activation":
        return shallow.float().mean(dim=1)
    (gradient,) = torch.autograd.grad(mean.sum(), shallow, create_graph=trains)
    weight = gradient.float().mean(dim=(2, 3), keepdim=True)
    return (weight * shallow.float()).sum(dim=1)


def enlarged(maps: Tensor, size: int) -> Tensor:
    """(N, s, s) -> (N, size, size), bilinear with the corners aligned."""
    return functional.interpolate(maps[:, None], size=(size, size), mode="bilinear", align_corners=True)[:, 0]


def vae_loss(coded: Coded, pictures: Tensor, options: LossOptions) -> Tensor:
    """Return cross-entropy of the reconstruction + weighted KL to the standard normal, on the scale of `options`."""
    logits, mean, log_var = coded.logits.float(), coded.mean.float(), coded.log_var.float()
    reconstruction = functional.binary_cross_entropy_with_logits(logits, pictures, reduction="sum")
    divergence = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum()
    pixels, numbers = (pictures.numel(), mean.numel()) if options.scale == "mean" else (len(pictures), len(mean))
    return reconstruction / pixels + options.kl_weight * divergence / numbers


def constraint_loss(maps: Tensor, region: Tensor, options: LossOptions) -> Tensor:
    """Return the constraint without its weight; it falls as maps (N, s, s) come nearer to it.

    `region`: bool (S, S), the pixels that the entropy is taken over; the size counts all of the map.
    """
    if options.constraint == "entropy":
        return -map_entropy(enlarged(maps, region.shape[-1]), region).mean()
    covered = torch.sigmoid(maps).mean(dim=(1, 2))
    return log_barrier(1.0 - covered - options.share, options.barrier).mean()


def map_entropy(maps: Tensor, region: Tensor) -> Tensor:
    """Return the Shannon entropy (nats) of the softmax of each map (N, S, S) over `region` (S, S) bool: (N,).

    At most ln of the region's pixels; 0, without a gradient, where the region is empty.
    """
    inside = region.flatten()
    # A number so low stays finite where nothing is inside, and what is outside gets no gradient.
    logs = functional.log_softmax(maps.flatten(start_dim=1).masked_fill(~inside, -1e9), dim=1)
    return -(logs.exp() * logs * inside).sum(dim=1)


def log_barrier(excess: Tensor, steepness: float) -> Tensor:
    """Return the extended log-barrier of `excess` <= 0, elementwise: -ln(-z) / t, and a line of slope t from -1/t^2 on.

    Source: Kervadec et al., "Constrained deep networks: Lagrangian optimization via log-barrier extensions", 2019.
    """
    join = 1.0 / steepness**2
    curve = -torch.log((-excess).clamp(min=join)) / steepness
    line = steepness * excess - math.log(join) / steepness + 1.0 / steepness
    return torch.where(excess <= -join, curve, line)
