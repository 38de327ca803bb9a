"""From a volume to a cube that its brain fills, and back: where that cube lies, and its intensities."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Image, Mask, Volume
from unseg_bench.blocks.components import bounding_box
from unseg_bench.blocks.normals import touched
from unseg_bench.blocks.resample import Mode, Shape, mask_to_shape, resample_to_shape

from .options import ScanOptions

_REACH = 3.0

Window = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Cube:
    """A cube of `side` voxels of `voxel_mm`: the volume's `box` lies in its middle, in the voxels `inner`."""

    side: int
    voxel_mm: float
    box: Window
    inner: Window

    @property
    def inner_shape(self) -> Shape:
        """Voxels of the cube that the box takes, per axis."""
        x, y, z = (window.stop - window.start for window in self.inner)
        return x, y, z


@dataclass(frozen=True, slots=True, eq=False)
class CubeImage:
    """A brain in its cube, (side, side, side): `image` is 0 ... 1 inside `brain`, 0 outside."""

    cube: Cube
    image: Image
    brain: Mask


def place_cube(volume: Volume, options: ScanOptions) -> Cube:
    """Lay a cube around the box of a volume's brain; raises ValueError where there is no brain."""
    found = bounding_box(volume.brain)
    if found is None:
        raise ValueError("there is no brain to lay a cube around")
    box = found[0], found[1], found[2]
    box_mm = [(part.stop - part.start) * size for part, size in zip(box, volume.spacing_mm, strict=True)]
    side_mm = max(max(box_mm) + 2 * options.margin_mm, options.side_mm or 0.0)
    voxel_mm = side_mm / options.side
    shape = [min(options.side, max(1, round(length / voxel_mm))) for length in box_mm]
    x, y, z = (slice((options.side - size) // 2, (options.side - size) // 2 + size) for size in shape)
    return Cube(options.side, voxel_mm, box, (x, y, z))


def to_cube(volume: Volume, options: ScanOptions) -> CubeImage:
    """Return the brain in its cube, intensities clipped and scaled; each voxel is the mean of the brain in it."""
    cube = place_cube(volume, options)
    brain = volume.brain[cube.box]
    weight = resample_to_shape(brain.astype(np.float32), cube.inner_shape)
    total = resample_to_shape(_scaled(volume, options)[cube.box], cube.inner_shape)
    inside = mask_to_shape(brain, cube.inner_shape)
    image = np.divide(total, weight, out=np.zeros_like(total), where=inside)
    return CubeImage(cube, _into(cube, np.clip(image, 0.0, 1.0)), _into(cube, inside))


def from_cube(values: NDArray[np.floating], cube: Cube, volume: Volume, mode: Mode = "linear") -> Image:
    """Return values of the cube on the volume's grid, (X, Y, Z) float32, 0 outside the brain."""
    result = np.zeros(volume.shape, dtype=np.float32)
    x, y, z = (part.stop - part.start for part in cube.box)
    result[cube.box] = resample_to_shape(values[cube.inner], (x, y, z), mode)
    return np.where(volume.brain, result, np.float32(0.0))


def normal_in_cube(normal: NDArray[np.bool_], cube: Cube) -> NDArray[np.bool_]:
    """Return which of the cube's axial slices, (side,), lie in the brain's box and touch no slice that is not normal.

    `normal`: (Z,) of the volume.
    """
    result = np.zeros(cube.side, dtype=np.bool_)
    result[cube.inner[2]] = ~touched(~normal[cube.box[2]], cube.inner_shape[2])
    return result


def _scaled(volume: Volume, options: ScanOptions) -> Image:
    """Intensities of the brain clipped and brought to 0 ... 1; 0 outside."""
    inside = volume.image[volume.brain]
    low, high = np.percentile(inside, options.clip_percentiles)
    if options.scaling == "robust":
        median = np.median(inside)
        reach = _REACH * 1.4826 * np.median(np.abs(inside - median))
        low, high = median - reach, median + reach
    span = max(float(high - low), float(np.finfo(np.float32).tiny))
    return np.where(volume.brain, np.clip((volume.image - low) / span, 0.0, 1.0), 0.0).astype(np.float32)


def _into(cube: Cube, values: NDArray[Any]) -> NDArray[Any]:
    """Put an array of the inner shape into an empty cube."""
    result = np.zeros((cube.side, cube.side, cube.side), dtype=values.dtype)
    result[cube.inner] = values
    return result
