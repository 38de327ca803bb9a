"""Distances between the surfaces of two masks: HD95 by two definitions, HD, and surface DSC.

All of them ask the same question, how far from each surface point of one mask the nearest of the other is, and differ
in what a surface point is (a border voxel's centre, or a voxel corner) and in how the two lists become one number.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from unseg_bench.score import kernels
from unseg_bench.score.surfels import surfel_areas

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Distances = NDArray[np.float64]
Spacing = tuple[float, float, float]

PERCENTILE = 95.0
_RING_VOXELS = 8.5  # lateral reach of the ring search; what lies farther waits for whole planes


@dataclass(frozen=True)
class MaskPair:
    """Two masks cut to the box of their union, with one background voxel around; built by `crop_pair`.

    prediction, reference: (A+2, B+2, C+2) uint8 of 0 and 1, C order; spacing_mm: in the order of these axes, which is
    the reverse of the caller's where the masks came in Fortran order; counts: voxels; the diagonal is the whole grid's.
    """

    prediction: Bytes
    reference: Bytes
    spacing_mm: Spacing
    prediction_count: int
    reference_count: int
    common_count: int
    grid_diagonal_mm: float

    @cached_property
    def borders(self) -> "DirectedDistances":
        """Distances between border voxels' centres; neither mask may be empty."""
        return border_distances(self)


@dataclass(frozen=True, slots=True)
class DirectedDistances:
    """Distances in mm: from each surface point of the prediction to the reference's surface, and the other way."""

    from_prediction: Distances
    from_reference: Distances

    def hd95_mm(self) -> float:
        """95th percentile (linear) of both lists pooled: medpy's `hd95`, the default of this package."""
        return float(np.percentile(np.concatenate((self.from_prediction, self.from_reference)), PERCENTILE))

    def hd95_max_directed_mm(self) -> float:
        """The larger of the two lists' 95th percentiles: MONAI's definition; shows what pooling can hide."""
        directed = (np.percentile(one, PERCENTILE) for one in (self.from_prediction, self.from_reference))
        return float(max(directed))

    def hd_max_mm(self) -> float:
        """The Hausdorff distance: the largest distance of both lists."""
        return float(max(self.from_prediction.max(), self.from_reference.max()))


@dataclass(frozen=True, slots=True)
class Surface:
    """Corner surface of one mask: neighbourhood codes and surface flags, (A+1, B+1, C+1) uint8; count of the flags."""

    codes: Bytes
    corners: Bytes
    count: int

    def areas_mm2(self, spacing_mm: Spacing) -> Distances:
        """Area of the surface element at each surface corner, in C order."""
        return surfel_areas(spacing_mm)[self.codes[self.corners.view(np.bool_)]]


def crop_pair(prediction: Mask, reference: Mask, spacing_mm: Spacing) -> MaskPair:
    """Count two masks of one grid and cut them to the box of their union, without copying the whole grid.

    Args: prediction, reference (X, Y, Z) bool in C or Fortran order; spacing_mm mm per axis.
    """
    counts: list[int] = []
    box = np.array([[size, -1] for size in reference.shape], dtype=np.int64)
    for mask in (prediction, reference):
        count, own = _count_and_box(mask)
        counts.append(count)
        box[:, 0] = np.minimum(box[:, 0], own[:, 0])
        box[:, 1] = np.maximum(box[:, 1], own[:, 1])
    flipped = reference.flags.f_contiguous and not reference.flags.c_contiguous
    cut = tuple(slice(int(first), int(last) + 1) for first, last in box)
    crops = [_pad(mask[cut].T if flipped else mask[cut]) for mask in (prediction, reference)]
    x, y, z = (float(mm) for mm in spacing_mm)
    return MaskPair(
        prediction=crops[0],
        reference=crops[1],
        spacing_mm=(z, y, x) if flipped else (x, y, z),
        prediction_count=counts[0],
        reference_count=counts[1],
        common_count=int(np.count_nonzero(crops[0] & crops[1])),
        grid_diagonal_mm=math.hypot(*(size * mm for size, mm in zip(reference.shape, spacing_mm, strict=True))),
    )


def border_distances(pair: MaskPair) -> DirectedDistances:
    """Distances between border voxels' centres: border = voxels with one of 6 neighbours outside the mask.

    Beyond the edge of the grid is outside, as in medpy (`connectivity` 1). Neither mask may be empty.
    """
    borders: list[tuple[Bytes, int]] = []
    for padded in (pair.prediction, pair.reference):
        border = np.empty([size - 2 for size in padded.shape], dtype=np.uint8)
        borders.append((border, int(kernels.border_6(padded, border))))
    one, other = borders
    return DirectedDistances(_directed(one, other[0], pair.spacing_mm), _directed(other, one[0], pair.spacing_mm))


def corner_surfaces(pair: MaskPair) -> tuple[Surface, Surface]:
    """The corner surfaces of prediction and reference on the grid of voxel corners (surface-distance's dual grid)."""
    surfaces: list[Surface] = []
    for padded in (pair.prediction, pair.reference):
        codes = np.empty([size - 1 for size in padded.shape], dtype=np.uint8)
        corners = np.empty_like(codes)
        surfaces.append(Surface(codes, corners, int(kernels.corner_codes(padded, codes, corners))))
    return surfaces[0], surfaces[1]


def surface_dsc(pair: MaskPair, tolerance_mm: float) -> float:
    """Share of both surfaces' area that lies within `tolerance_mm` of the other surface, 0-1.

    Also called normalised surface distance. Nikolov et al. 2021 (arXiv 1809.04430), with surface elements at voxel
    corners. Neither mask may be empty.
    """
    prediction, reference = corner_surfaces(pair)
    reach_mm = tolerance_mm * (1.0 + 1e-9)  # so that rounding cannot lose a corner just within
    within = total = 0.0
    for one, other in ((prediction, reference), (reference, prediction)):
        areas = one.areas_mm2(pair.spacing_mm)
        distances, _, _ = _near(one.corners, one.count, _columns(other.corners), pair.spacing_mm, reach_mm)
        within += float(areas[distances <= tolerance_mm].sum())
        total += float(areas.sum())
    return within / total


def _count_and_box(mask: Mask) -> tuple[int, NDArray[np.int64]]:
    """Voxel count and box (3, 2) of a mask; the box of an empty mask is (size, -1) per axis."""
    flipped = mask.flags.f_contiguous and not mask.flags.c_contiguous
    flat = np.ascontiguousarray(mask.T if flipped else mask).view(np.uint8).ravel()
    whole = flat.size - flat.size % 8
    shape = np.array(mask.shape[::-1] if flipped else mask.shape, dtype=np.int64)
    box = np.stack((shape, np.full(3, -1)), axis=1)
    ordered = box.reshape(6)
    count = int(kernels.count_and_box(flat[:whole].view(np.uint64), flat[whole:], shape, ordered))
    return count, box[::-1] if flipped else box


def _pad(crop: Mask) -> Bytes:
    """A C-ordered uint8 copy with one background voxel around."""
    padded = np.zeros([size + 2 for size in crop.shape], dtype=np.uint8)
    padded[1:-1, 1:-1, 1:-1] = crop
    return padded


def _directed(start: tuple[Bytes, int], goal: Bytes, spacing_mm: Spacing) -> Distances:
    """Distance in mm from each marked point of `start`, in C order, to the nearest marked point of `goal`."""
    columns = _columns(goal)
    distances, far, positions = _near(start[0], start[1], columns, spacing_mm, _RING_VOXELS * min(spacing_mm[:2]))
    if len(far):
        distances[far] = _far_distances(positions, goal, columns, spacing_mm)
    return distances


def _columns(points: Bytes) -> NDArray[np.uint16]:
    """Steps along the last axis from every voxel to the nearest marked point."""
    steps = np.empty(points.shape, dtype=np.uint16)
    kernels.nearest_in_column(points, steps)
    return steps


def _near(
    points: Bytes, count: int, columns: NDArray[np.uint16], spacing_mm: Spacing, reach_mm: float
) -> tuple[Distances, NDArray[np.int64], NDArray[np.int64]]:
    """Distances (count,) found in columns up to `reach_mm` away; inf where that is not enough.

    Then those points, whose distance the near columns do not settle: their numbers in the list and indices, (F, 3).
    """
    offsets, lateral = _rings(spacing_mm[0], spacing_mm[1], reach_mm)
    distances = np.empty(count)
    numbers, positions = np.empty(count, dtype=np.int64), np.empty((count, 3), dtype=np.int64)
    left = int(
        kernels.search_rings(points, columns, offsets, lateral, reach_mm, spacing_mm[2], distances, numbers, positions)
    )
    return distances, numbers[:left], positions[:left]


@lru_cache(maxsize=32)
def _rings(first_mm: float, second_mm: float, reach_mm: float) -> tuple[NDArray[np.int64], Distances]:
    """Column offsets (R, 2) within `reach_mm`, nearest first, and their squared distances in mm2."""
    reach = [int(reach_mm / mm) for mm in (first_mm, second_mm)]
    grid = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1].reshape(2, -1).T
    squared = (grid[:, 0] * first_mm) ** 2 + (grid[:, 1] * second_mm) ** 2
    order = np.argsort(squared, kind="stable")
    order = order[squared[order] <= reach_mm**2]
    return np.ascontiguousarray(grid[order]).astype(np.int64), squared[order]


def _far_distances(
    positions: NDArray[np.int64], goal: Bytes, columns: NDArray[np.uint16], spacing_mm: Spacing
) -> Distances:
    """Exact distances in mm, (F,), to the nearest marked point of `goal`, for points that have none near."""
    planes = np.flatnonzero(goal.any(axis=(1, 2)))
    held = columns[planes[0] : planes[-1] + 1]
    squared, distances = np.empty(held.shape), np.empty(len(positions))
    kernels.transform_planes(held, spacing_mm[1], spacing_mm[2], squared)
    kernels.search_planes(positions, squared, int(planes[0]), spacing_mm[0], distances)
    return distances


def warm_up() -> None:
    """Compile every kernel, or load it from the cache, on a tiny pair of masks."""
    prediction = np.zeros((3, 3, 3), dtype=np.bool_)
    reference = prediction.copy()
    prediction[0], reference[1, 1, 1] = True, True
    pair = crop_pair(prediction, reference, (1.0, 1.0, 1.0))
    border_distances(pair)
    surface_dsc(pair, 1.0)
    squared, distances = np.empty((1, 1, 1)), np.empty(1)
    kernels.transform_planes(np.zeros((1, 1, 1), dtype=np.uint16), 1.0, 1.0, squared)
    kernels.search_planes(np.zeros((1, 3), dtype=np.int64), squared, 0, 1.0, distances)
