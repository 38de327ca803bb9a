"""Axial slices as pictures: rows are y, columns are x, so a box (x0, y0, x1, y1) is in pixels of the picture.

A volume (X, Y, Z) becomes a stack of pictures (Z, Y, X). With x to the left and y to the back, a picture shows the
head as radiologists look at it: the nose at the top.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.atomic import reserve
from unseg_bench.data.volume import Image, Mask, Volume

if TYPE_CHECKING:
    from torch import Tensor

Pictures: TypeAlias = NDArray[np.uint8]
"""8-bit pictures of axial slices, (N, Y, X)."""

Scaling: TypeAlias = Literal["slice", "volume"]
"""What the 8 bits span: each slice's own range of brain values, or a fixed window of z-scores for all slices."""

Z_WINDOW = (-2.5, 4.5)
"""Z-scores that become 0 and 255 under the scaling 'volume'; brain tissue lies well inside."""


def to_pictures(array: NDArray[Any]) -> NDArray[Any]:
    """(X, Y, Z) -> a view (Z, Y, X): one picture an axial slice."""
    return array.transpose(2, 1, 0)


def brain_slices(brain: Mask, min_share: float = 0.0) -> NDArray[np.intp]:
    """Indices of the axial slices whose brain area is more than `min_share` of the largest slice's area, ascending.

    `brain`: (X, Y, Z). Empty if there is no brain.
    """
    area = brain.sum(axis=(0, 1))
    return np.flatnonzero(area > min_share * area.max(initial=0))


def eight_bit(volume: Volume, slices: NDArray[np.intp], scaling: Scaling = "slice") -> Pictures:
    """Pictures (N, Y, X) of the given axial slices, 0 ... 255; 0 outside the brain. See `stretched` for `scaling`."""
    return np.rint(stretched(volume, slices, scaling) * 255.0).astype(np.uint8)


def stretched(volume: Volume, slices: NDArray[np.intp], scaling: Scaling = "slice") -> Image:
    """The given axial slices, (N, Y, X) float32 in 0 ... 1, 0 outside the brain: `eight_bit` before it rounds.

    'slice' stretches each slice from its smallest to its largest brain value; 'volume' maps `Z_WINDOW` to 0 ... 1, so
    that the same tissue has the same grey in every slice. CLISC's code stretches from the slice's smallest value, which
    is the background's: 'slice' does so for a volume in which the whole crop counts as brain (see `standardise`).
    """
    image = to_pictures(volume.image)[slices]
    brain = to_pictures(volume.brain)[slices]
    if scaling == "slice":
        low = np.where(brain, image, np.inf).min(axis=(1, 2), keepdims=True)
        high = np.where(brain, image, -np.inf).max(axis=(1, 2), keepdims=True)
    else:
        low, high = (np.float32(edge) for edge in Z_WINDOW)
    with np.errstate(invalid="ignore"):
        scaled = (image - low) / np.maximum(high - low, 1e-6)
    return np.where(brain, np.clip(scaled, 0.0, 1.0), np.float32(0.0))


def equalise(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Histogram equalisation of one 8-bit picture (Y, X), as OpenCV's `equalizeHist`."""
    counts = np.bincount(picture.ravel(), minlength=256)
    darkest = int(np.flatnonzero(counts)[0])
    brighter = picture.size - counts[darkest]
    if brighter == 0:
        return picture.copy()
    # In single precision throughout, as OpenCV does it: halves round the same way then.
    scale = np.float32(255.0) / np.float32(brighter)
    table = np.rint((np.cumsum(counts) - counts[darkest]).astype(np.float32) * scale)
    return np.clip(table, 0, 255).astype(np.uint8)[picture]


def resize(pictures: NDArray[Any], size: tuple[int, int]) -> "Tensor":
    """(N, Y, X) -> float32 tensor (N, *size), bilinear with antialiasing; values keep their range."""
    import torch
    from torch.nn import functional

    tensor = torch.as_tensor(np.asarray(pictures, dtype=np.float32))[:, None]
    return functional.interpolate(tensor, size=size, mode="bilinear", antialias=True, align_corners=False)[:, 0]


def store_pictures(path: Path, shape: tuple[int, int, int], parts: Iterable[Pictures]) -> Pictures:
    """Write parts (n, Y, X), N pictures in all, to the .npy file `path`; return it as a memory map.

    `shape`: (N, Y, X). Raises RunError when there is no room on the disk.
    """
    pictures = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    reserve(path)
    start = 0
    for part in parts:
        pictures[start : start + len(part)] = part
        start += len(part)
    pictures.flush()
    return np.load(path, mmap_mode="r")
