"""Intensity classes, a stand-in for tissue: their centres, and a scan as a cube of classes."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Artifact, Cohort, Mask, RunError, Volume, Work, stage, write_json

from .cube import Cube, CubeImage, normal_in_cube, to_cube
from .filters import commonest, window_voxels
from .options import ScanOptions

PUBLISHED = (0.0083, 0.1611, 0.2564, 0.3325, 0.4017, 0.4740, 0.5593, 0.6616, 0.7928, 0.9652)
"""Centres of the authors' notebook, of T2-weighted scans."""

_FILE = "classes.json"
_VOXELS_A_SCAN = 4_000

Classes = NDArray[np.uint8]
"""A scan as classes, (side, side, side)."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A scan in its cube: the class of each voxel, and which voxels are brain."""

    cube: Cube
    classes: Classes
    brain: Mask


@stage("implicit-field-classes", seeded=False)
def find_classes(work: Work, options: ScanOptions, *, cohort: Cohort, slices: Artifact | str) -> None:
    """Write `classes.json`: the centres, ascending. `slices`: which slices of each case are normal, '' for all.

    K-means looks at the same number of evenly ranked brain voxels of each scan, and starts from quantiles, so that it
    needs no seed. Raises RunError when the intensities are too few for that many classes.
    """
    if options.centres == "published":
        write_json(work.folder / _FILE, list(PUBLISHED))
        return
    looked_at: list[NDArray[np.float32]] = []
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        if volume.brain.any():
            one = to_cube(volume, options)
            looked_at.append(_evenly(one.image[one.brain & allowed_slices(volume, one.cube, slices)]))
    values = np.concatenate([np.zeros(0, np.float32), *looked_at])
    write_json(work.folder / _FILE, k_means(values, options.classes - (options.background == "own")).tolist())


def read_centres(classes: Artifact) -> NDArray[np.float32]:
    """Return the centres that `find_classes` wrote, (K,) ascending."""
    return np.array(json.loads(classes.path(_FILE).read_text(encoding="utf-8")), dtype=np.float32)


def k_means(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return `count` centres of the values (N,), ascending; raises RunError when there are too few different ones."""
    from scipy.cluster.vq import ClusterError, kmeans2

    start = np.unique(np.quantile(values, (np.arange(count) + 0.5) / count)) if len(values) else values
    problem = f"scan.classes: the normal voxels have too few different intensities for {count} classes; ask for fewer"
    if len(start) < count:
        raise RunError(problem)
    try:
        centres, _ = kmeans2(
            values[:, None].astype(np.float64), start[:, None], iter=100, minit="matrix", missing="raise"
        )
    except ClusterError as error:
        raise RunError(problem) from error
    return np.sort(centres[:, 0]).astype(np.float32)


def class_count(centres: NDArray[np.float32], options: ScanOptions) -> int:
    """Return how many classes a voxel can have; the last one is the background where that has its own."""
    return len(centres) + (options.background == "own")


def to_scan(volume: Volume, centres: NDArray[np.float32], options: ScanOptions) -> Scan:
    """Return a volume as a cube of classes: the nearest centre, then the commonest class around each voxel."""
    one = to_cube(volume, options)
    window = window_voxels(options.mode_pool_mm, one.cube.voxel_mm, even=options.even_windows)
    return Scan(one.cube, _classes(one, centres, options, window), one.brain)


def allowed_slices(volume: Volume, cube: Cube, slices: Artifact | str) -> NDArray[np.bool_]:
    """Return which axial slices of the cube, (side,), may be learned from: all, or those on normal ones alone."""
    if isinstance(slices, str):
        return np.ones(cube.side, dtype=np.bool_)
    return normal_in_cube(np.array(slices.array(volume.case_id)), cube)


def _classes(one: CubeImage, centres: NDArray[np.float32], options: ScanOptions, window: int) -> Classes:
    edges = (centres[1:] + centres[:-1]) / 2
    nearest = np.searchsorted(edges, one.image).astype(np.uint8)
    if options.background == "shared":
        return commonest(nearest, len(centres), window)
    pooled = commonest(nearest, len(centres), window, where=one.brain)
    return np.where(one.brain, pooled, np.uint8(len(centres)))


def _evenly(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """At most so many of the values, evenly spaced in their order by size."""
    ranked = np.sort(values)
    return ranked[np.linspace(0, len(ranked) - 1, min(_VOXELS_A_SCAN, len(ranked))).astype(np.intp)]
