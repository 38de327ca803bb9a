"""The 3D U-Net (Cicek et al., MICCAI 2016), its losses, and the two ways of running it over a whole volume."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unseg_bench.blocks.unet.options import LossName, Norm, Upsampling
from unseg_bench.data.volume import Image


class UNet3d(nn.Module):
    """(B, 1, X, Y, Z) -> logits (B, C, X, Y, Z) for any X, Y, Z of at least 2 ** (levels - 1) voxels.

    Two 3 x 3 x 3 convolutions a level with norm and ReLU, max pooling by 2, upsampling by 2, skip connections by
    concatenation: MONAI's blocks of its BasicUNet, for any number of levels. With `upsampling` 'trilinear' all channels
    of the coarser level go up as they are (CLISC's code). `affine`: norms learn a scale and a shift.
    """

    def __init__(
        self,
        channels: Sequence[int],
        norm: Norm,
        dropout: float,
        out_channels: int,
        in_channels: int = 1,
        affine: bool = True,
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        from monai.networks.nets.basic_unet import Down, TwoConv, UpCat

        act, normalisation = ("relu", {"inplace": True}), (norm, {"affine": affine})
        levels = list(pairwise(channels))
        # MONAI's own interpolation would first halve the channels and fit the grids' corners to each other.
        up: dict[str, Any] = {"halves": True}
        if upsampling == "trilinear":
            up = {"upsample": "nontrainable", "pre_conv": None, "align_corners": False}
        self.first = TwoConv(3, in_channels, channels[0], act, normalisation, bias=False)
        self.down = nn.ModuleList(Down(3, high, low, act, normalisation, bias=False) for high, low in levels)
        self.up = nn.ModuleList(
            UpCat(3, low, high, high, act, normalisation, bias=False, **up) for high, low in reversed(levels)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv3d(channels[0], out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits; dropout acts at the bottleneck and before the head (CLISC's reference code)."""
        skips = [self.first(image)]
        for down in self.down:
            skips.append(down(skips[-1]))
        features = self.dropout(skips.pop())
        for up in self.up:
            features = up(features, skips.pop())
        return self.head(self.dropout(features))


class HalfGridUNet3d(nn.Module):
    """A `UNet3d` on a grid of half the resolution, between a stem and a head on the full one: a fifth of the cost.

    The stem folds each 2 x 2 x 2 block of the image into eight channels; the head unfolds eight features a voxel, puts
    the image beside them, and decides with two convolutions. So outlines are as fine as the image.
    """

    def __init__(
        self,
        channels: Sequence[int],
        norm: Norm,
        dropout: float,
        out_channels: int,
        affine: bool = True,
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        from monai.networks.blocks.convolutions import Convolution

        self.body = UNet3d(channels, norm, dropout, 8 * _FINE, in_channels=8, affine=affine, upsampling=upsampling)
        self.fine = Convolution(3, _FINE + 1, 8, act="relu", norm=(norm, {"affine": affine}), bias=False)
        self.head = nn.Conv3d(8, out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of the image's own shape; odd axes are padded by one voxel meanwhile."""
        x, y, z = image.shape[2:]
        even = F.pad(image, (0, z % 2, 0, y % 2, 0, x % 2))
        both = torch.cat([_unfold(self.body(_fold(even))), even], dim=1)
        if self.training and both.device.type == "cpu":
            # On a CPU the gradient of a convolution of so few channels takes half the time where they lie together.
            both = both.contiguous(memory_format=torch.channels_last_3d)
        return self.head(self.fine(both))[:, :, :x, :y, :z]


class DynUNet3d(nn.Module):
    """nnU-Net's plain network (MONAI's DynUNet): strided convolutions, instance norm, leaky ReLU; any X, Y, Z.

    With `deep_supervision`, a network in training returns logits (B, H, C, X, Y, Z): the finest, then those of the
    coarser levels but the two coarsest, brought to the image's grid by nearest neighbour.
    """

    def __init__(
        self,
        channels: Sequence[int],
        norm: Norm,
        dropout: float,
        out_channels: int,
        deep_supervision: bool = False,
        affine: bool = True,
    ) -> None:
        super().__init__()
        from monai.networks.nets.dynunet import DynUNet

        strides = [1] + [2] * (len(channels) - 1)
        self.body = DynUNet(
            *(3, 1, out_channels, [3] * len(strides), strides, strides[1:]),
            filters=channels,
            dropout=dropout or None,
            norm_name=(norm, {"affine": affine}),
            deep_supervision=deep_supervision,
            deep_supr_num=max(1, len(channels) - 3),
        )
        self._multiple = 2 ** (len(channels) - 1)

    @property
    def head(self) -> nn.Conv3d:
        """The last convolution of the finest level."""
        return cast(nn.Conv3d, self.body.output_block.conv.conv)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of the image's own shape; meanwhile zeros fill axes up to what the levels need.

        That is two or more voxels on the coarsest level, since instance norm cannot do with one.
        """
        x, y, z = image.shape[2:]
        more = [max(_round_up(n, self._multiple), 2 * self._multiple) - n for n in (x, y, z)]
        return self.body(F.pad(image, (0, more[2], 0, more[1], 0, more[0])))[..., :x, :y, :z]


_FINE = 4


def _fold(image: Tensor) -> Tensor:
    """(B, 1, 2X, 2Y, 2Z) -> (B, 8, X, Y, Z): each block of 2 x 2 x 2 voxels as channels."""
    b, _, x, y, z = image.shape
    blocks = image.reshape(b, x // 2, 2, y // 2, 2, z // 2, 2)
    return blocks.permute(0, 2, 4, 6, 1, 3, 5).reshape(b, 8, x // 2, y // 2, z // 2)


def _unfold(features: Tensor) -> Tensor:
    """(B, 8C, X, Y, Z) -> (B, C, 2X, 2Y, 2Z), the inverse of `_fold` for each of C features."""
    b, c, x, y, z = features.shape
    blocks = features.reshape(b, c // 8, 2, 2, 2, x, y, z)
    return blocks.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(b, c // 8, 2 * x, 2 * y, 2 * z)


def unet3d(
    channels: Sequence[int] = (16, 32, 64, 128, 256),
    norm: Norm = "batch",
    dropout: float = 0.3,
    out_channels: int = 2,
    foreground_prior: float | None = None,
    half_grid: bool = False,
    affine: bool = True,
    upsampling: Upsampling = "transposed",
) -> UNet3d | HalfGridUNet3d:
    """Return a 3D U-Net with one level a channel count; five levels are four down- and four upsamplings.

    The default has 5,646,402 parameters. `foreground_prior` (0-1) sets the last bias so that an untrained network
    calls that share of the voxels tumour; without it a small training spends its first hundred steps on the background.
    `half_grid`: a HalfGridUNet3d, for fine outlines on few cores. `affine` and `upsampling`: see `UNet3d`.

    Weights are drawn from torch's global generator: see `training.seeded_torch`.
    """
    build = HalfGridUNet3d if half_grid else UNet3d
    network = build(channels, norm, dropout, out_channels, affine=affine, upsampling=upsampling)
    if foreground_prior is not None:
        _set_foreground_prior(network.head, foreground_prior)
    return network


def dynunet3d(
    channels: Sequence[int] = (32, 64, 128, 256, 320, 320),
    norm: Norm = "instance",
    dropout: float = 0.0,
    out_channels: int = 2,
    foreground_prior: float | None = None,
    deep_supervision: bool = True,
    affine: bool = True,
) -> DynUNet3d:
    """Return nnU-Net's network for 128^3 patches, with 31,190,312 parameters; see `unet3d` for the options."""
    network = DynUNet3d(channels, norm, dropout, out_channels, deep_supervision, affine)
    if foreground_prior is not None:
        _set_foreground_prior(network.head, foreground_prior)
    return network


def _set_foreground_prior(head: nn.Conv3d, prior: float) -> None:
    """Give the classes after the first together the probability `prior` where features are zero."""
    foreground_bias = math.log(prior / (1.0 - prior) / (head.out_channels - 1))
    bias = torch.full((head.out_channels,), foreground_bias)
    bias[0] = 0.0
    head.bias = nn.Parameter(bias)


def draw_kaiming(network: nn.Module) -> None:
    """Draw all convolutions' weights anew from torch's global generator: normal, as He et al. (2015) do for ReLU."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in")


def segmentation_loss(name: LossName) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of (logits (B, C, X, Y, Z), labels (B, X, Y, Z) int64).

    'cross-entropy', or 'dice-ce': MONAI's soft Dice of the foreground classes over the batch, plus cross-entropy.
    """
    if name == "cross-entropy":
        return F.cross_entropy
    from monai.losses.dice import DiceCELoss

    both = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
    return lambda logits, labels: both(logits, labels[:, None])


def deeply_supervised(measure: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of (logits (B, H, C, X, Y, Z), labels): `measure` of each of H heads, each half the one before.

    The weights add up to one, as nnU-Net's do.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        heads = logits.unbind(dim=1)
        weights = [0.5**place for place in range(len(heads))]
        losses = [weight * measure(head, labels) for weight, head in zip(weights, heads, strict=True)]
        return torch.stack(losses).sum() / sum(weights)

    return loss


Network: TypeAlias = UNet3d | HalfGridUNet3d | DynUNet3d
"""What `unet3d` and `dynunet3d` return."""

Forward: TypeAlias = Callable[[Tensor], Tensor]

_TOGETHER = 2
_DEEPEST = 16
"""Voxels that a voxel of the coarsest level stands for, at most; there must be two there, for instance norm."""


def predict_whole(
    network: nn.Module,
    image: Image,
    size: tuple[int, int, int] = (128, 128, 128),
    mode: Literal["nearest", "linear"] = "nearest",
    mirror_axes: Sequence[int] = (),
) -> Image:
    """Return the foreground probability (X, Y, Z), float32: the volume is resized to `size`, predicted, resized back.

    With 'nearest' this is how CLISC's reference code predicts. `mirror_axes`: also predict every reflection along
    these axes (0 = x) and average.
    """
    interpolation = "nearest-exact" if mode == "nearest" else "trilinear"

    def forward(batch: Tensor) -> Tensor:
        small = F.interpolate(batch, size, mode=interpolation)
        return F.interpolate(_foreground(network(small)), batch.shape[2:], mode=interpolation)

    return _predict(network, image, forward, mirror_axes)


def predict_sliding(
    network: nn.Module,
    image: Image,
    patch: tuple[int, int, int] | None = None,
    overlap: float = 0.5,
    mirror_axes: Sequence[int] = (),
) -> Image:
    """Return the foreground probability (X, Y, Z), float32: windows of `patch` voxels, blended with Gaussian weights.

    `patch` None: the whole volume in one window, padded to what the network's levels need. `mirror_axes`: as in
    `predict_whole`.
    """
    from monai.inferers.utils import sliding_window_inference

    def foreground(crop: Tensor) -> Tensor:
        return _foreground(network(crop))

    def forward(batch: Tensor) -> Tensor:
        window = patch or tuple(_round_up(n, _DEEPEST) for n in batch.shape[2:])
        if patch is None and max(window) == _DEEPEST:
            window = (2 * _DEEPEST, _DEEPEST, _DEEPEST)
        blended = sliding_window_inference(batch, window, _TOGETHER, foreground, overlap=overlap, mode="gaussian")
        return cast(Tensor, blended)

    return _predict(network, image, forward, mirror_axes)


def _predict(network: nn.Module, image: Image, forward: Forward, mirror_axes: Sequence[int]) -> Image:
    """Average `forward` over the reflections, without gradients, on the network's device."""
    # Torch convolves small layers on a CPU several times faster for two samples than for one (it takes oneDNN then).
    device = next(network.parameters()).device
    volume = torch.from_numpy(np.array(image, dtype=np.float32))[None].to(device)
    flips = [[axis + 1 for axis in axes] for n in range(len(mirror_axes) + 1) for axes in combinations(mirror_axes, n)]
    network.eval()
    total = torch.zeros_like(volume)
    with torch.inference_mode():
        for first in range(0, len(flips), _TOGETHER):
            pair = flips[first : first + _TOGETHER]
            batch = forward(torch.stack([volume.flip(axes) for axes in pair]))
            total += torch.stack([sample.flip(axes) for sample, axes in zip(batch, pair, strict=True)]).sum(dim=0)
    return (total[0] / len(flips)).cpu().numpy()


def _foreground(logits: Tensor) -> Tensor:
    """Return the probability (B, 1, X, Y, Z) of not being background."""
    return 1.0 - logits.float().softmax(dim=1)[:, :1]


def _round_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
