"""The network that takes an image apart: (B, 1, X, Y, Z) -> (B, 3, X, Y, Z); and the published loss."""

import math
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from unseg_bench.blocks.training import load_network, seeded_torch
from unseg_bench.blocks.unet.networks import HalfGridUNet3d

from .options import NetworkOptions

NORMAL, TUMOUR, MASK = 0, 1, 2
"""The output's channels: the normal image, the tumour layer, the mask's logit."""

_LEVELS = (1, 2, 4, 8)


class RestoringUNet(nn.Module):
    """The published 3D U-Net, four levels; any X, Y, Z that 8 divides.

    Convolutions base -> 2 base, 2 base -> 4 base, ... on the way down; up-convolutions keep their channels. 19,073,795
    parameters at base 32. Source: the authors' `model/unet3d.py`.
    """

    def __init__(self, base: int, norm: str, out_channels: int = 3) -> None:
        super().__init__()
        widths = [2 * base * level for level in _LEVELS]
        self.down = nn.ModuleList(
            [_two(1, base, widths[0], norm), *(_two(high, high, low, norm) for high, low in pairwise(widths))]
        )
        self.rise = nn.ModuleList(nn.ConvTranspose3d(low, low, 2, stride=2) for low in reversed(widths[1:]))
        self.up = nn.ModuleList(_two(high + low, high, high, norm) for high, low in reversed([*pairwise(widths)]))
        self.head = nn.Conv3d(widths[0], out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the three outputs."""
        skips: list[Tensor] = []
        features = image
        for number, down in enumerate(self.down):
            features = down(nn.functional.max_pool3d(features, 2) if number else features)
            skips.append(features)
        skips.pop()
        for rise, up in zip(self.rise, self.up, strict=True):
            features = up(torch.cat([rise(features), skips.pop()], dim=1))
        return self.head(features)


def _two(first: int, middle: int, last: int, norm: str) -> nn.Sequential:
    """Two convolutions of 3 x 3 x 3, each with norm and ReLU."""
    normalise = nn.BatchNorm3d if norm == "batch" else nn.InstanceNorm3d
    layers: list[nn.Module] = []
    for a, b in ((first, middle), (middle, last)):
        layers += [nn.Conv3d(a, b, 3, padding=1), normalise(b, affine=True), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def build_network(options: NetworkOptions, seed: int = 0) -> nn.Module:
    """Return the untrained network, its weights drawn from `seed`."""
    with seeded_torch(seed):
        if options.kind == "unet3d":
            network = RestoringUNet(options.base, options.norm)
        else:
            channels = [2 * options.base * level for level in _LEVELS]
            network = HalfGridUNet3d(channels, options.norm, 0.0, out_channels=3)
    if options.prior is not None:
        assert network.head.bias is not None  # noqa: S101 - a convolution has one unless told otherwise
        with torch.no_grad():
            network.head.bias[MASK] = math.log(options.prior / (1.0 - options.prior))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return network


def read_network(path: Path, options: NetworkOptions, device: str) -> nn.Module:
    """Return the network with the weights of a safetensors file, for asking."""
    network = build_network(options)
    load_network(path, network)
    return network.to(device).eval()


class Targets(NamedTuple):
    """What simulated samples should come out as.

    `layers` (B, 2, X, Y, Z) in the order of the outputs; `mask` (B, X, Y, Z) float, 0 or 1; `counted` (B, 1, 1, Z)
    float, 1 on the axial slices where the sample is known to be normal but for its simulated tumour.
    """

    layers: Tensor
    mask: Tensor
    counted: Tensor


def dice_loss(logits: Tensor, mask: Tensor, counted: Tensor | float = 1.0) -> Tensor:
    """1 - Dice of the probabilities and the mask, both (B, X, Y, Z), pooled over the batch (authors' code)."""
    probability, truth = torch.sigmoid(logits.float()) * counted, mask * counted
    return 1.0 - (2.0 * (probability * truth).sum() + _TINY) / (probability.sum() + truth.sum() + _TINY)


def restoration_loss(outputs: Tensor, targets: Targets) -> Tensor:
    """The published five terms, all of weight 1: Dice of the mask; L1 of each layer; the same inside the mask.

    The last two are 0 where the batch has no tumour. Slices that do not count are left out of every mean.
    """
    differs = (outputs[:, [NORMAL, TUMOUR]].float() - targets.layers).abs()
    counted = targets.counted.expand_as(targets.mask)[:, None]
    inside = counted * targets.mask[:, None]
    loss = dice_loss(outputs[:, MASK], targets.mask, targets.counted)
    loss = loss + (differs * counted).sum() / counted.sum().clamp(min=1.0)
    return loss + (differs * inside).sum() / inside.sum().clamp(min=1.0)


_TINY = 1e-7
