"""One file made elsewhere: which of its voxels are tumour, and whether it lies where its image does."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.labels import not_counted, refuse_negative, whole_tumour
from unseg_bench.data.nifti import NiftiGrid, NiftiImage, form_at_fault, grid_difference, read_grid, read_image
from unseg_bench.data.volume import Mask
from unseg_bench.errors import DataError
from unseg_bench.words import first_of

MOST_VALUES = 4
"""A file with more distinct values than BraTS has labels (0, 1, 2, 4) is not taken for a mask unasked."""
_WHOLE = 1e-3
_LARGEST = 2**24  # up to here float32 holds every whole number


class MaskReader:
    """Reads masks of any type of number. labels: what is tumour (None: all above 0); threshold: above it, instead."""

    def __init__(self, labels: tuple[int, ...] | None, threshold: float | None) -> None:
        self._labels = labels
        self._threshold = threshold
        self._seen: set[int] = set()
        self._range = (math.inf, -math.inf)

    def read(self, path: Path, like: NiftiGrid) -> Mask:
        """Return the tumour of one file, (X, Y, Z) in file order.

        Raises DataError, with the remedy, when it is not on the grid of its image `like`, or when its values are
        neither labels nor was a threshold given. A file on another grid is known by its header and never unpacked.
        """
        _check_grid(read_grid(path), like)
        image = read_image(path)
        if self._threshold is not None:
            lowest, highest = self._range
            self._range = min(lowest, float(image.data.min())), max(highest, float(image.data.max()))
            return image.data > self._threshold
        labels = _whole_numbers(image)
        refuse_negative(path, labels)
        values = np.unique(labels[labels != 0])
        count = len(values) + bool((labels == 0).any())
        if self._labels is None and count > MOST_VALUES:
            raise DataError(
                f"{path}: holds {count} different values, {first_of([str(value) for value in values])} among them; "
                "say which are tumour: --labels 1,2,4"
            )
        self._seen.update(int(value) for value in values)
        return whole_tumour(labels, self._labels)

    def check_labels_seen(self) -> None:
        """Refuse labels of which no file that was read has any, though there are others."""
        if self._labels is not None and self._seen and not self._seen & set(self._labels):
            asked, seen = (",".join(str(value) for value in sorted(values)) for values in (self._labels, self._seen))
            raise DataError(f"--labels {asked}: no file holds any of these; the files hold {seen}")

    def doubts(self) -> list[str]:
        """Say what of the files read is hardly meant: values that no label names, a threshold beside their range."""
        if self._labels is not None:
            rest = self._seen - set(self._labels)
            asked = ",".join(map(str, self._labels))
            return [f"--labels {asked}: the files {not_counted(rest)}"] if rest else []
        if self._threshold is None or self._range[0] > self._range[1]:
            return []
        lowest, highest = self._range
        held = f"--threshold {self._threshold:g}: the files hold {lowest:g} to {highest:g}"
        if not lowest <= self._threshold < highest:
            return [f"{held}, so every voxel is on one side of it"]
        return [f"{held}; are these probabilities of 0 to {highest:g}?"] if 0 < self._threshold < 1 < highest else []


def _check_grid(image: NiftiGrid, like: NiftiGrid) -> None:
    difference = grid_difference(image, like)
    if not difference:
        return
    remedy = form_at_fault(like, image) or (
        "resample it with nearest neighbour (ANTs: antsApplyTransforms -n NearestNeighbor -r IMAGE -i FILE -o FILE; "
        "Python: nilearn.image.resample_to_img(FILE, IMAGE, interpolation='nearest'))"
    )
    if image.shape == like.shape and not form_at_fault(like, image):
        remedy += ", or, where only its header is wrong, save it again with the image's affine"
    raise DataError(f"{image.path} is not on the grid of its image {like.path}: {difference}; {remedy}")


def _whole_numbers(image: NiftiImage) -> NDArray[np.int32]:
    """Return labels as whole numbers; some tools write 0.99999997 for 1."""
    rounded = np.rint(image.data)
    apart = (np.abs(image.data - rounded) > _WHOLE) | (np.abs(rounded) > _LARGEST)
    if apart.any():
        raise DataError(
            f"{image.path}: holds {image.data[apart][0]:.4g}, which is no label; of probabilities say what is tumour: "
            "--threshold 0.5"
        )
    return rounded.astype(np.int32)
