"""Cleaning up masks: connected components, opening, holes. All work on the mask's bounding box, for speed."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.volume import Mask

Connectivity: TypeAlias = Literal[6, 18, 26]
"""Which neighbours of a voxel belong together: faces, and edges, and corners."""

_RANK: dict[int, int] = {6: 1, 18: 2, 26: 3}


def bounding_box(mask: Mask, margin: int = 0) -> tuple[slice, ...] | None:
    """Return the smallest box of slices around the True voxels, `margin` voxels wider, or None for an empty mask."""
    box: list[slice] = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        places = np.flatnonzero(mask.any(axis=others))
        if places.size == 0:
            return None
        box.append(slice(max(0, int(places[0]) - margin), min(mask.shape[axis], int(places[-1]) + 1 + margin)))
    return tuple(box)


def largest_component(mask: Mask, connectivity: Connectivity = 26) -> Mask:
    """Return the connected component with the most voxels; of equals, the first in raster order. Empty stays empty."""

    def largest(labels: NDArray[np.int32], sizes: NDArray[np.int64]) -> Mask:
        return labels == int(sizes.argmax()) + 1

    return _choose(mask, connectivity, largest)


def surest_component(mask: Mask, probability: NDArray[np.float32], level: float = 0.5) -> Mask:
    """Return the connected component (26 neighbours) with the largest sum of `probability` - `level` over its voxels.

    A large hesitant finding weighs less than a smaller sure one. `probability` has the mask's shape, (X, Y, Z).
    """
    box = bounding_box(mask)
    if box is None:
        return np.zeros_like(mask, dtype=np.bool_)
    above = (probability - np.float32(level))[box]

    def surest(labels: NDArray[np.int32], sizes: NDArray[np.int64]) -> Mask:
        weights = np.bincount(labels.ravel(), weights=above.ravel(), minlength=len(sizes) + 1)[1:]
        return labels == int(weights.argmax()) + 1

    return _choose(mask, 26, surest)


def keep_components(mask: Mask, at_least_share_of_largest: float = 1 / 3, connectivity: Connectivity = 26) -> Mask:
    """Return the components with at least this share (0-1) of the largest one's voxels (CLISC's reference code)."""

    def large_enough(labels: NDArray[np.int32], sizes: NDArray[np.int64]) -> Mask:
        kept = np.concatenate([[False], sizes >= at_least_share_of_largest * sizes.max()])
        return kept[labels]

    return _choose(mask, connectivity, large_enough)


def _choose(
    mask: Mask, connectivity: Connectivity, choice: Callable[[NDArray[np.int32], NDArray[np.int64]], Mask]
) -> Mask:
    """Label the components inside the bounding box and keep what `choice(labels, sizes)` says."""
    from scipy import ndimage

    def chosen(part: Mask) -> Mask:
        labels = np.empty(part.shape, dtype=np.int32)
        ndimage.label(part, structuring_element(connectivity), output=labels)
        return choice(labels, np.bincount(labels.ravel())[1:])

    return _inside_box(mask, chosen)


def _inside_box(mask: Mask, change: Callable[[Mask], Any]) -> Mask:
    """Change a mask inside its bounding box alone; empty stays empty."""
    box = bounding_box(mask)
    result = np.zeros_like(mask, dtype=np.bool_)
    if box is not None:
        result[box] = change(mask[box])
    return result


def structuring_element(connectivity: Connectivity) -> NDArray[np.bool_]:
    """Return the 3 x 3 x 3 neighbourhood of a voxel, itself included."""
    from scipy import ndimage

    return ndimage.generate_binary_structure(3, _RANK[connectivity])


def opening(mask: Mask, connectivity: Connectivity = 6, iterations: int = 1) -> Mask:
    """Erode, then dilate `iterations` times with the neighbourhood `connectivity`; outside the volume counts as empty.

    With 6 and one iteration, what is thinner than 3 voxels along an axis disappears.
    """
    from scipy import ndimage

    structure = structuring_element(connectivity)
    return _inside_box(mask, partial(ndimage.binary_opening, structure=structure, iterations=iterations))


def fill_holes(mask: Mask) -> Mask:
    """Fill the background that is enclosed in 3D (not connected to the outside through faces)."""
    from scipy import ndimage

    return _inside_box(mask, ndimage.binary_fill_holes)
