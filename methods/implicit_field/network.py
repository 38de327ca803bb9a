"""The field: a code and a place in, logits of the classes out."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from .options import NetworkOptions


def encode(points: Tensor, octaves: int) -> Tensor:
    """Return (..., 6 * octaves): of coordinates x in -1 ... 1 the sines and cosines of 2^k * pi * x, k = 0, 1 ..."""
    frequencies = math.pi * 2.0 ** torch.arange(octaves, device=points.device, dtype=points.dtype)
    angles = (points[..., None] * frequencies).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Field(nn.Module):
    """The published decoder: hidden layers with weight normalisation, ReLU and dropout, the inputs joined half way.

    Code and encoded place are the inputs. What the code adds to a layer is computed once a scan, not once a point.
    """

    def __init__(self, options: NetworkOptions, octaves: int, classes: int) -> None:
        super().__init__()
        inputs = options.code + 6 * octaves
        widths = [options.width] * options.layers
        widths[options.join_after - 1] -= inputs
        if widths[options.join_after - 1] < 1:
            raise ValueError(f"network.width must exceed the {inputs} inputs")
        before = [inputs, *widths[:-1]]
        before[options.join_after] += inputs
        self.octaves, self.join_after, self.code = octaves, options.join_after, options.code
        self.hidden = nn.ModuleList(weight_norm(nn.Linear(n, width)) for n, width in zip(before, widths, strict=True))
        self.last = nn.Linear(widths[-1], classes)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, codes: Tensor, points: Tensor) -> Tensor:
        """Return logits (B, P, classes) at `points` (B, P, 3) in -1 ... 1 of scans with these codes (B, C)."""
        places = encode(points, self.octaves)
        values = places
        for number, layer in enumerate(self.hidden):
            if number == self.join_after:
                values = torch.cat([values, places], dim=-1)
            out = self._coded(layer, values, codes) if number in {0, self.join_after} else layer(values)
            values = self.dropout(functional.relu(out))
        return self.last(values)

    def _coded(self, layer: nn.Module, values: Tensor, codes: Tensor) -> Tensor:
        """A layer whose last inputs are the code."""
        assert isinstance(layer, nn.Linear)  # noqa: S101 - all hidden layers are
        weight = layer.weight
        of_code = functional.linear(codes, weight[:, -self.code :], layer.bias)
        return functional.linear(values, weight[:, : -self.code]) + of_code[:, None]


class AutoDecoder(nn.Module):
    """A field and a code of each training scan, (N, C), drawn with a norm of about 1."""

    def __init__(self, field: Field, scans: int) -> None:
        super().__init__()
        self.field = field
        self.codes = nn.Parameter(draw_codes(scans, field.code))


def draw_codes(count: int, size: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw codes (count, size) from N(0, 1 / size), so that their norm is about 1."""
    return torch.randn(count, size, generator=generator) / math.sqrt(size)


@torch.no_grad()
def cap(codes: Tensor) -> None:
    """Bring codes (N, C) whose norm exceeds 1 back to it, in place."""
    codes.mul_(1.0 / codes.norm(dim=1, keepdim=True).clamp(min=1.0))
