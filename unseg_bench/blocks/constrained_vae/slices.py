"""Axial slices as a constrained VAE sees them, and its maps back on the grid of the volume.

Pictures are (N, S, S) uint8 in a square of fixed size in mm, the slice in the middle. Brain is what is not 0.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.constrained_vae.options import SliceOptions
from unseg_bench.blocks.slices import Pictures, brain_slices, resize, store_pictures, to_pictures
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact

_JPEG_QUALITY = 95
"""OpenCV's default, with which the repositories write."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the slices (Y, X) = `shape` of a volume lie in the square: `size` pixels, (rows, columns) of them taken."""

    shape: tuple[int, int]
    taken: tuple[int, int]
    size: int

    @property
    def place(self) -> tuple[slice, slice]:
        """The rows and columns of the square that the slice takes."""
        top, left = ((self.size - side) // 2 for side in self.taken)
        return slice(top, top + self.taken[0]), slice(left, left + self.taken[1])

    def into(self, slices: NDArray[Any]) -> NDArray[np.float32]:
        """(N, Y, X) -> (N, S, S) float32, bilinear, 0 around it."""
        square = np.zeros((len(slices), self.size, self.size), dtype=np.float32)
        square[:, *self.place] = resize(slices, self.taken).numpy()
        return square

    def back(self, square: NDArray[Any]) -> NDArray[np.float32]:
        """(N, S, S) -> (N, Y, X) float32, bilinear."""
        return resize(square[:, *self.place], self.shape).numpy()


def frame_of(volume: Volume, options: SliceOptions) -> Frame:
    """Return where the slices of a volume lie; raises RunError where they do not fit into the square."""
    columns, rows, _ = volume.shape
    wide, high = columns * volume.spacing_mm[0], rows * volume.spacing_mm[1]
    if max(wide, high) > options.field_mm:
        raise RunError(
            f"case {volume.case_id} is {wide:.0f} x {high:.0f} mm wide and does not fit into slices.field_mm = "
            f"{options.field_mm:g}; set it to {max(wide, high):.0f} or more"
        )
    scale = options.size / options.field_mm
    return Frame((rows, columns), (max(1, round(high * scale)), max(1, round(wide * scale))), options.size)


def shown_slices(volume: Volume, options: SliceOptions) -> NDArray[np.intp]:
    """Return the axial slices with enough brain, ascending."""
    return brain_slices(volume.brain, options.min_brain_share)


def learned_slices(volume: Volume, normal: NDArray[np.bool_], options: SliceOptions) -> NDArray[np.intp]:
    """Return the slices of a case that are learned from: `normal` (Z,), with enough brain, in the middle if asked."""
    chosen = shown_slices(volume, options)
    if options.middle is not None:
        height = np.flatnonzero(volume.brain.any(axis=(0, 1)))
        start = max(0, (len(height) - options.middle) // 2)
        chosen = np.intersect1d(chosen, height[start : start + options.middle])
    return chosen[normal[chosen]]


def draw_pictures(volume: Volume, slices: NDArray[np.intp], options: SliceOptions) -> Pictures:
    """Return the pictures (N, S, S) of the given slices of a volume, before any matching of grey values."""
    frame = frame_of(volume, options)
    if not len(slices):
        return np.zeros((0, options.size, options.size), dtype=np.uint8)
    low, high = np.quantile(volume.image[volume.brain], [options.low, options.high])
    brain = to_pictures(volume.brain)[slices]
    grey = np.clip((to_pictures(volume.image)[slices] - low) / max(high - low, 1e-6), 0.0, 1.0)
    square = np.clip(np.rint(255.0 * frame.into(np.where(brain, grey, 0.0))), 1.0, 255.0)
    pictures = np.where(frame.into(brain) > 0.5, square, 0.0).astype(np.uint8)
    return np.stack([_through_jpeg(picture) for picture in pictures]) if options.jpeg else pictures


def match_histogram(picture: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture whose grey values are spread as those of `reference`; what is 0 stays 0.

    Both with their background, as scikit-image's `match_histograms`; both of any shape.
    """
    _, places, counts = np.unique(picture, return_inverse=True, return_counts=True)
    wanted, wanted_counts = np.unique(reference, return_counts=True)
    matched = np.interp(np.cumsum(counts) / picture.size, np.cumsum(wanted_counts) / reference.size, wanted)
    result = np.clip(np.rint(matched), 1.0, 255.0).astype(np.uint8)[places.reshape(picture.shape)]
    return np.where(picture > 0, result, np.uint8(0))


def match_all(
    pictures: Pictures, reference: NDArray[np.uint8] | None, options: SliceOptions, *, test: bool
) -> Pictures:
    """Match pictures to the reference as `options` say; None leaves them as they are."""
    if reference is None or not len(pictures):
        return pictures
    if test and options.histogram == "reference-cut-at-test":
        cut = len(reference) // 6
        reference = reference[cut:-cut, cut:-cut]
    return np.stack([match_histogram(picture, reference) for picture in pictures])


def eroded(brain: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Erode (..., S, S) by a square of so many pixels; nothing that touches the border stays."""
    from scipy import ndimage

    shape = (1,) * (brain.ndim - 2) + (pixels, pixels)
    return np.asarray(ndimage.binary_erosion(brain, structure=np.ones(shape)), dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class LearnedSlices:
    """Pictures to learn from, (N, S, S) uint8, a memory map, and what they were matched to, (S, S) or None."""

    pictures: Pictures
    reference: NDArray[np.uint8] | None


def gather_pictures(path: Path, cohort: Cohort, normal: Artifact, options: SliceOptions) -> LearnedSlices:
    """Write the pictures of all normal slices of a cohort to the .npy file `path`.

    `normal`: `<case>.npy`, (Z,) bool. Raises RunError when there is none.
    """
    chosen = {volume.case_id: learned_slices(volume, normal.array(volume.case_id), options) for volume in cohort}
    total = sum(map(len, chosen.values()))
    if not total:
        raise RunError(
            f"none of the {len(cohort)} cases has a normal slice with enough brain to learn from; see normals.source, "
            "slices.middle and slices.min_brain_share"
        )
    reference = None if options.histogram == "own" else _middle_picture(cohort, chosen, options)
    parts = (
        match_all(draw_pictures(volume, chosen[volume.case_id], options), reference, options, test=False)
        for volume in cohort
    )
    return LearnedSlices(store_pictures(path, (total, options.size, options.size), parts), reference)


def _middle_picture(cohort: Cohort, chosen: dict[str, NDArray[np.intp]], options: SliceOptions) -> NDArray[np.uint8]:
    """The middle slice of the first case that has any."""
    case_id, slices = next((case_id, slices) for case_id, slices in chosen.items() if len(slices))
    middle = len(slices) // 2
    return draw_pictures(cohort[case_id], slices[middle : middle + 1], options)[0]


def _through_jpeg(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_JPEG_QUALITY)
    return np.asarray(Image.open(file))
