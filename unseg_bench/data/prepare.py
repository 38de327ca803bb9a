"""From an image file's array to what methods see, and exactly back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.nifti import NiftiImage
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import DataError

Scalar = TypeVar("Scalar", bound=np.generic)

PREPARATION_VERSION = 2
"""Raise it when `prepare` gives other values for the same file, or none: cached volumes are then made anew."""

_MAX_BRAIN_ML = 3000.0
_DIM = 0.1
_MAX_DIM_SHARE = 0.4
"""Of the brain's voxels, so many may lie within `_DIM` of the way from the background to the brightest: real ones have
8 % at most. Where noise surrounds a brain, half of what differs from the background and more is that dim."""
_ENOUGH_VOXELS = 20_000
"""In a smaller box than that of a brain at 5 mm, such shares mean nothing."""
_MIN_COHERENCE = 0.75
"""Of the voxels outside a brain, so many have a neighbour outside it: 95 % around real ones, half in clipped noise."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a prepared volume sits in its file: prepared axis i is file axis `axes[i]`, reversed where `flipped[i]`.

    `file_shape` (X, Y, Z) in file order; `start` and `stop` bound the brain's box on the reoriented grid.
    """

    file_shape: tuple[int, int, int]
    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the prepared grid."""
        x, y, z = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return x, y, z

    def reorient(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """View an array in file order as LPS, not cropped."""
        self._check(array.shape, self.file_shape)
        return array.transpose(self.axes)[tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)]

    def take(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """View an array in file order on the prepared grid."""
        return self.reorient(array)[tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))]

    def restore(self, array: NDArray[Scalar], outside: float = 0) -> NDArray[Scalar]:
        """Put an array on the prepared grid back into file order, with the value `outside` outside the brain's box."""
        self._check(array.shape, self.shape)
        whole = np.full(self.file_shape, outside, dtype=array.dtype)
        self.take(whole)[...] = array
        return whole

    def to_json(self) -> dict[str, Any]:
        """Return the placement as JSON values."""
        return {name: list(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a placement from `to_json`."""
        return cls(**{name: tuple(value) for name, value in values.items()})

    @staticmethod
    def _check(shape: tuple[int, ...], wanted: tuple[int, int, int]) -> None:
        if shape != wanted:
            raise ValueError(f"an array of shape {wanted} is needed, not {shape}")


def prepare(image: NiftiImage) -> tuple[Image, Mask, Placement]:
    """Turn to LPS, find the brain, crop to its box, z-score inside it; returns (image, brain, placement).

    The image is float32 with mean 0 and standard deviation 1 inside the brain (CLISC, section 3) and 0 outside. The
    image must be skull-stripped: the brain is what differs from the constant background. Raises DataError otherwise,
    for noise around the brain too.
    """
    axes, flipped = _towards_lps(image.affine)
    whole = Placement(image.shape, axes, flipped, (0, 0, 0), _permuted(image.shape, axes))
    data = whole.reorient(image.data)
    background = _background(data)
    brain, start = find_brain(_foreground(image.path, data, background))
    x, y, z = (int(a + n) for a, n in zip(start, brain.shape, strict=True))
    placement = Placement(image.shape, axes, flipped, start, (x, y, z))
    _check_size(image, brain)
    prepared = _standardise(image.path, placement.take(image.data), brain)
    _refuse_noise(image.path, placement.take(image.data), brain, background)
    return prepared, brain, placement


def find_brain(foreground: Mask) -> tuple[Mask, tuple[int, int, int]]:
    """Keep the largest piece (26 neighbours), fill its holes, cut to its box: (brain, first index of the box).

    The box includes the brain's last plane along each axis. `foreground` must not be empty.
    """
    from scipy.ndimage import find_objects

    outer = _bounds(foreground)
    labels, count = _components(foreground[outer], np.ones((3, 3, 3)))
    largest = 1 + int(np.bincount(labels.ravel())[1:].argmax())
    inner = find_objects(labels, max_label=count)[largest - 1]
    brain = _fill_holes(labels[inner] == largest)
    x, y, z = (int(a.start + b.start) for a, b in zip(outer, inner, strict=True))
    return brain, (x, y, z)


def _bounds(mask: Mask) -> tuple[slice, ...]:
    """Return the slices of the box around all True voxels."""
    bounds: list[slice] = []
    for axis in range(3):
        inside = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        bounds.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return tuple(bounds)


def _components(mask: Mask, structure: NDArray[np.float64] | None) -> tuple[NDArray[np.int32], int]:
    """Number the connected pieces from 1; None means 6 neighbours."""
    from scipy.ndimage import label

    labelled: Any = label(mask, structure=structure)
    return labelled[0], labelled[1]


def _fill_holes(mask: Mask) -> Mask:
    """Fill what cannot be reached from outside through 6-neighbours."""
    labels, _ = _components(np.pad(~mask, 1, constant_values=True), None)
    return labels[1:-1, 1:-1, 1:-1] != labels[0, 0, 0]


def _background(data: Image) -> float:
    """Return the value that most voxels on the image's border hold.

    It is 0 in raw BraTS files, but the minimum (about -3.5) where intensities were standardised before.
    """
    faces = [np.moveaxis(data, axis, 0)[side].ravel() for axis in range(3) for side in (0, -1)]
    values, counts = np.unique(np.concatenate(faces), return_counts=True)
    return float(values[counts.argmax()])


def _foreground(path: Path, data: Image, background: float) -> Mask:
    """Return where the image differs from its background."""
    tolerance = 1e-6 * (float(data.max()) - float(data.min()))
    foreground = np.abs(data - np.float32(background)) > tolerance
    if not foreground.any():
        raise DataError(f"{path}: every voxel holds {background:g}, so there is no brain; export the image again")
    return foreground


def _refuse_noise(path: Path, data: Image, brain: Mask, background: float) -> None:
    """Raise DataError where the background is not one value: what is no brain is scattered, or what is brain is dim.

    `data` and `brain` are on the prepared grid.
    """
    if brain.size < _ENOUGH_VOXELS:
        return
    # Some 100,000 voxels tell as much as all of them.
    distance = np.abs(data[brain][:: max(1, int(brain.sum()) // 100_000)] - np.float32(background))
    dim = float((distance < _DIM * np.percentile(distance, 99)).mean())
    outside = ~brain
    neighbours = outside[..., 1:]
    scattered = neighbours.any() and (neighbours & outside[..., :-1]).sum() < _MIN_COHERENCE * neighbours.sum()
    if scattered or dim > _MAX_DIM_SHARE:
        raise DataError(
            f"{path}: the background is not one value: what differs from its most common one ({background:g}) is noise "
            "rather than a brain. Set all outside the brain to 0 with a brain mask first (HD-BET or SynthStrip make "
            "one; FSL: fslmaths IMAGE -mas MASK OUT)"
        )


def _check_size(image: NiftiImage, brain: Mask) -> None:
    brain_ml = float(brain.sum()) * float(np.prod(image.spacing_mm)) / 1000
    if brain_ml > _MAX_BRAIN_ML:
        raise DataError(
            f"{image.path}: what differs from the background measures {brain_ml:.0f} ml, more than any brain; "
            "strip the skull first (HD-BET or SynthStrip do) so that all outside holds one value"
        )


def _standardise(path: Path, data: Image, brain: Mask) -> Image:
    inside = data[brain].astype(np.float64)
    mean, deviation = inside.mean(), inside.std()
    if not deviation > 1e-6 * max(abs(mean), np.finfo(np.float32).tiny):
        raise DataError(f"{path}: all voxels inside the brain hold {mean:g}; is this a mask instead of a FLAIR image?")
    image = np.zeros(data.shape, dtype=np.float32)
    image[brain] = (inside - mean) / deviation
    return image


def _towards_lps(affine: NDArray[np.float64]) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Return which file axis becomes which LPS axis, and which of those run the other way."""
    from nibabel.orientations import io_orientation

    orientation = io_orientation(affine)
    axes = [int(np.flatnonzero(orientation[:, 0] == world)[0]) for world in range(3)]
    # Along x and y LPS grows where nibabel's RAS+ falls.
    lps = (-1, -1, 1)
    flips = [bool(orientation[axis, 1] != lps[world]) for world, axis in enumerate(axes)]
    return (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2])


def _permuted(shape: tuple[int, int, int], axes: tuple[int, int, int]) -> tuple[int, int, int]:
    return shape[axes[0]], shape[axes[1]], shape[axes[2]]
