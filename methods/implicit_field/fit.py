"""A scan that was not trained on: its code, by gradient descent, and what the field says of each of its voxels."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from unseg_bench import Image
from unseg_bench.blocks.precision import Precision, autocast

from .classes import Classes, Scan
from .network import Field, cap, draw_codes
from .options import FitOptions
from .points import ScanSet, coordinates, unflatten

_TOGETHER = 65_536


def fit_codes(
    field: Field, scans: ScanSet, options: FitOptions, precision: Precision, seed: int
) -> tuple[Tensor, list[Tensor]]:
    """Return the codes (N, C) of all scans, fitted together, each as if alone; and each step's cross-entropies (N,).

    The network must be frozen and in evaluation mode. Scans start from the same code and see the same chance.
    """
    device = scans.classes.device
    start = draw_codes(1, field.code, torch.Generator().manual_seed(seed)).to(device)
    codes = start.repeat(len(scans), 1).requires_grad_()
    chance = torch.Generator(device).manual_seed(seed)
    everyone = torch.arange(len(scans), device=device)
    losses: list[Tensor] = []
    for steps, points in zip(options.steps, options.points, strict=True):
        adam = torch.optim.Adam([codes], lr=options.learning_rate)
        for _ in range(steps):
            places, classes = scans.draw(everyone, points, alike=chance)
            with autocast(precision, str(device)):
                each = cross_entropies(field(codes, places), classes).mean(dim=1)
            (codes.grad,) = torch.autograd.grad(each.sum(), codes)
            adam.step()
            if options.cap:
                cap(codes)
            losses.append(each.detach())
    return codes.detach(), losses


def cross_entropies(logits: Tensor, classes: Tensor) -> Tensor:
    """Return of each point (B, P) the cross-entropy of its class (B, P) and its logits (B, P, K), in nats."""
    return functional.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none").view(classes.shape)


@torch.no_grad()
def decode(field: Field, code: Tensor, voxels: NDArray[np.intp], side: int) -> Tensor:
    """Return the logits (N, K) of a scan with this code (C,) at voxels of the cube, their numbers in C order (N,)."""
    parts: Sequence[Tensor] = torch.from_numpy(voxels).split(_TOGETHER)
    return torch.cat(
        [field(code[None], coordinates(unflatten(part.to(code.device), side), side)[None])[0] for part in parts]
    )


def restore(field: Field, code: Tensor, scan: Scan) -> tuple[Image, Classes]:
    """Return cubes: the cross-entropy of each voxel's class, and the class that the field says is likeliest.

    Of all voxels in the box of the brain; outside of it, in the margin, both are 0.
    """
    side = scan.cube.side
    numbers = np.arange(side**3).reshape(side, side, side)[scan.cube.inner]
    logits = decode(field, code, numbers.ravel(), side)
    classes = torch.from_numpy(scan.classes[scan.cube.inner].ravel()).to(code.device).long()
    surprise, decoded = np.zeros(scan.classes.shape, np.float32), np.zeros(scan.classes.shape, np.uint8)
    surprise[scan.cube.inner] = cross_entropies(logits[None], classes[None]).view(numbers.shape).cpu().numpy()
    decoded[scan.cube.inner] = logits.argmax(dim=1).view(numbers.shape).cpu().numpy()
    return surprise, decoded
