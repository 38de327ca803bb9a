"""Axial slices as SAM and CLIP see them: 8-bit pictures, enlarged so that SAM's crops are not too small."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Mask, Volume
from unseg_bench.blocks.slices import brain_slices, eight_bit, equalise, resize, to_pictures

from .options import PictureOptions, SalipOptions


@dataclass(frozen=True, slots=True, eq=False)
class SlicePicture:
    """One axial slice, (H, W) in pixels of the picture: `picture` uint8, `brain` bool, `z` the image's z-scores.

    `number`: of the slice in its volume. `size`: (Y, X) of the volume's slice itself.
    """

    number: int
    picture: NDArray[np.uint8]
    brain: Mask
    z: NDArray[np.float32]
    size: tuple[int, int]

    def to_slice(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bring a mask of the picture to the slice's own grid, (Y, X)."""
        own = mask if mask.shape == self.size else _resized(mask, self.size) > 0.5
        return np.asarray(own, dtype=np.bool_)


def chosen_slices(brain: Mask, options: PictureOptions) -> NDArray[np.intp]:
    """Return the axial slices with enough brain, ascending; where a tumour is plays no part in it."""
    return brain_slices(brain, options.min_brain_share)


def spread_out(numbers: NDArray[np.intp], every: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the slices to look at, each the middle one of `every`, and for each of `numbers` which of them is nearest.

    The second holds places in the first; of two as near, the lower one counts.
    """
    looked_at = numbers[min(every // 2, max(0, len(numbers) - 1)) :: every]
    if not len(looked_at):
        return looked_at, np.zeros(0, dtype=np.intp)
    return looked_at, np.abs(numbers[:, None] - looked_at[None, :]).argmin(axis=1)


def draw_slices(volume: Volume, numbers: NDArray[np.intp], options: SalipOptions) -> Iterator[SlicePicture]:
    """Give the pictures of the slices with these numbers, one at a time."""
    steady = _without_spikes(volume, options.pictures.clip_quantile)
    for number in numbers:
        one = np.asarray([number])
        picture = eight_bit(steady, one, options.sam.scaling)[0]
        if options.sam.equalise:
            picture = equalise(picture)
        brain, z = (to_pictures(array)[number] for array in (volume.brain, volume.image))
        rows, columns = picture.shape
        size = picture_size((rows, columns), options.pictures.long_side_px)
        if size != (rows, columns):
            picture = np.clip(np.rint(_resized(picture, size)), 0, 255).astype(np.uint8)
            brain, z = _resized(brain, size) > 0.5, _resized(z, size)
        yield SlicePicture(int(number), picture, np.asarray(brain), np.asarray(z), (rows, columns))


def picture_size(size: tuple[int, int], long_side_px: int | None) -> tuple[int, int]:
    """Return (H, W) with the longer side as long as asked and the same proportions; None: as it is."""
    if long_side_px is None:
        return size
    scale = long_side_px / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resized(array: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.float32]:
    return resize(np.array(array[None], dtype=np.float32), size)[0].numpy()


def _without_spikes(volume: Volume, quantile: float) -> Volume:
    """The volume with what is brighter than this quantile of its brain cut down to it."""
    if quantile == 1 or not volume.brain.any():
        return volume
    highest = np.float32(np.quantile(volume.image[volume.brain], quantile))
    return Volume(volume.case_id, np.minimum(volume.image, highest), volume.brain, volume.spacing_mm, volume.digest)
