"""Scans on the device, and points of them: coordinates and classes are drawn where the network computes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .classes import Scan


def coordinates(voxels: Tensor, side: int) -> Tensor:
    """Return the centres of voxels (..., 3) of a cube as coordinates: its outer faces lie at -1 and 1.

    The one convention of training, fit and decoding.
    """
    return (2.0 * voxels.to(torch.float32) + 1.0) / side - 1.0


class ScanSet:
    """Cubes of classes on a device, and where in each of them points may be drawn.

    `allowed`: of each scan its axial slices, (side,) bool; None: all of them.
    """

    def __init__(
        self,
        scans: Sequence[Scan],
        device: str,
        cube_share: float,
        allowed: Sequence[NDArray[np.bool_]] | None = None,
    ) -> None:
        self.side, self._cube_share = scans[0].cube.side, cube_share
        self.classes = torch.from_numpy(np.stack([one.classes.ravel() for one in scans])).to(device)
        free = np.ones(self.side, dtype=np.bool_)
        slices = [free] * len(scans) if allowed is None else list(allowed)
        self._slices = _Ragged([np.flatnonzero(one) for one in slices], device)
        places = [np.flatnonzero(one.brain & free) for one, free in zip(scans, slices, strict=True)]
        self._brain = _Ragged(places if cube_share < 1 else [], device)

    def __len__(self) -> int:
        return len(self.classes)

    def draw(self, scans: Tensor, points: int, *, alike: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return coordinates (B, points, 3) and classes (B, points) of scans by number (B,).

        From torch's own generator of the device; `alike`: from this one, and the same chance for each scan.
        """
        device, rows = self.classes.device, len(scans) if alike is None else 1
        chance = torch.rand(rows, points, 3, device=device, generator=alike).expand(len(scans), points, 3)
        in_cube = round(points * self._cube_share)
        wide = chance[:, :in_cube]
        x, y = ((wide[..., axis] * self.side).long().clamp(max=self.side - 1) for axis in (0, 1))
        flat = (x * self.side + y) * self.side + self._slices.take(scans, wide[..., 2])
        if in_cube < points:
            flat = torch.cat([flat, self._brain.take(scans, chance[:, in_cube:, 0])], dim=1)
        return coordinates(unflatten(flat, self.side), self.side), self.classes[scans[:, None], flat].long()


def unflatten(flat: Tensor, side: int) -> Tensor:
    """Return the voxels (..., 3) of a cube by their numbers in C order."""
    return torch.stack([flat // (side * side), flat // side % side, flat % side], dim=-1)


class _Ragged:
    """Lists of different length in one tensor."""

    def __init__(self, lists: Sequence[NDArray[np.intp]], device: str) -> None:
        counts = np.array([len(one) for one in lists], dtype=np.int64)
        joined = np.concatenate([np.zeros(0, np.int32), *(one.astype(np.int32) for one in lists)])
        self._joined = torch.from_numpy(joined).to(device)
        self._counts = torch.from_numpy(counts).to(device)
        self._starts = torch.from_numpy(np.cumsum(counts) - counts).to(device)

    def take(self, which: Tensor, chance: Tensor) -> Tensor:
        """Return members (B, P) of the lists `which` (B,), by chance (B, P) in 0 ... 1."""
        counts = self._counts[which][:, None]
        inside = (chance.double() * counts).long().clamp(max=counts - 1)
        return self._joined[self._starts[which][:, None] + inside].long()
