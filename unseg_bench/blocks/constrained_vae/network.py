"""VAEs of axial slices whose shallowest stage can be looked at: encoder and decoder of GradCAMCons and AMCons.

Source: the two repositories named in `constrained_vae_options`.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from unseg_bench.blocks.constrained_vae.options import NetworkOptions


class Coded(NamedTuple):
    """A batch after the VAE. `logits`: (N, S, S); `mean`, `log_var`: (N, latent); `shallow`: stage 1, (N, C, s, s)."""

    logits: Tensor
    mean: Tensor
    log_var: Tensor
    shallow: Tensor


class ConstrainedVae(nn.Module):
    """(N, S, S) in 0 ... 1 -> Coded. In training the latent vector is drawn, in evaluation it is its mean."""

    def __init__(self, options: NetworkOptions, size: int) -> None:
        super().__init__()
        self.encoder = Encoder(options.width, pooled=options.layout == "2021")
        side = size // (32 if options.layout == "2021" else 16)
        features = 8 * options.width * side**2
        self.mean = nn.Linear(features, options.latent)
        self.log_var = nn.Linear(features, options.latent)
        decoder = decoder_2021 if options.layout == "2021" else decoder_2022
        self.decoder = decoder(options.latent, 4 * options.width, side)

    def forward(self, pictures: Tensor) -> Coded:
        """Encode, draw and decode."""
        shallow, deep = self.encoder(pictures[:, None])
        flat = deep.flatten(start_dim=1)
        mean, log_var = self.mean(flat), self.log_var(flat)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var) if self.training else mean
        return Coded(self.decoder(latent)[:, 0], mean, log_var, shallow)

    def look(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Encode alone: (latent means, stage 1), as in `Coded`."""
        shallow, deep = self.encoder(pictures[:, None])
        return self.mean(deep.flatten(start_dim=1)), shallow


class Encoder(nn.Module):
    """(N, 1, S, S) -> stage 1, (N, width, S/2, S/2), and stage 4, (N, 8 width, S/16, S/16); half of that if `pooled`.

    After the first convolution there is neither norm nor ReLU; the stages are ResNet-18's, drawn as torchvision does.
    """

    def __init__(self, width: int, *, pooled: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if pooled else nn.Identity()
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first and the last stage."""
        shallow = self.layer1(self.pool(self.first(pictures)))
        return shallow, self.layer4(self.layer3(self.layer2(shallow)))


def decoder_2022(latent: int, channels: int, side: int) -> nn.Sequential:
    """(N, latent) -> logits (N, 1, 16 side, 16 side): four levels, each doubles the side and halves the channels."""
    widths = [channels >> level for level in range(5)]
    levels = [
        nn.Sequential(GrowingBlock(inside, outside, grows=True), GrowingBlock(outside, outside, grows=False))
        for inside, outside in pairwise(widths)
    ]
    return nn.Sequential(*_unflattened(latent, channels, side), *levels, nn.Conv2d(widths[-1], 1, 3, padding=1))


def decoder_2021(latent: int, channels: int, side: int) -> nn.Sequential:
    """(N, latent) -> logits (N, 1, 32 side, 32 side): five levels, each doubles the side."""
    widths = [latent, *(channels >> level for level in range(5))]
    levels = [TwoWays(inside, outside) for inside, outside in pairwise(widths)]
    return nn.Sequential(*_unflattened(latent, latent, side), *levels, nn.Conv2d(widths[-1], 1, 3, padding=1))


class GrowingBlock(nn.Module):
    """A residual block that may double the side (nearest neighbour); its skip has a 1 x 1 convolution then."""

    def __init__(self, inside: int, outside: int, *, grows: bool) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1), *_doubled(grows), nn.BatchNorm2d(outside))
        self.second = nn.Sequential(nn.Conv2d(outside, outside, 3, padding=1), nn.BatchNorm2d(outside))
        self.skip = (
            nn.Sequential(nn.Conv2d(inside, outside, 1), *_doubled(grows), nn.BatchNorm2d(outside))
            if grows
            else nn.Identity()
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, inside, s, s) -> (N, outside, s or 2 s, the same)."""
        return torch.relu(self.second(torch.relu(self.first(features))) + self.skip(features))


class TwoWays(nn.Module):
    """Doubles the side, then adds two convolutions, each with ReLU before its norm, to a third one."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.grow = nn.Upsample(scale_factor=2)
        self.straight = nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(outside),
            nn.Conv2d(outside, outside, 3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(outside),
        )
        self.skip = nn.Conv2d(inside, outside, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inside, s, s) -> (N, outside, 2 s, 2 s)."""
        grown = self.grow(features)
        return self.straight(grown) + self.skip(grown)


def _stage(inside: int, outside: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride > 1:
        shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride=stride, bias=False), nn.BatchNorm2d(outside))
    stage = nn.Sequential(BasicBlock(inside, outside, stride, shortcut), BasicBlock(outside, outside))
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return stage


def _doubled(grows: bool) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2)] if grows else []


def _unflattened(latent: int, channels: int, side: int) -> list[nn.Module]:
    return [nn.Linear(latent, channels * side**2), nn.Unflatten(1, (channels, side, side))]
