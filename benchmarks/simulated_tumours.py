"""Milliseconds a simulated tumour takes on one core, against the same thing written plainly in numpy and scipy.

    OMP_NUM_THREADS=1 python benchmarks/simulated_tumours.py

The plain version draws the same tumours and works on whole volumes; that both give the same is checked on the way.
Processor time is what counts: on a busy machine the clock on the wall says more about the neighbours.
"""

import argparse
import time
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from unseg_bench.blocks.simulated_tumours.options import SimulatorOptions
from unseg_bench.blocks.simulated_tumours.shape import Shape, brain_box, draw_centre, draw_shape
from unseg_bench.blocks.simulated_tumours.simulate import simulate
from unseg_bench.blocks.simulated_tumours.texture import draw_texture
from unseg_bench.data.volume import Image, Mask

SIZES = (48, 64, 96, 128)
EXTENT_MM = 160.0
OPTIONS = SimulatorOptions()

Points = NDArray[np.float64]


def head(size: int, seed: int) -> tuple[Image, Mask]:
    """An ellipsoid full of smooth texture: what a brain is to the generator."""
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y, z = np.meshgrid(axis / 0.85, axis, axis / 0.8, indexing="ij")
    brain = x**2 + y**2 + z**2 < 1
    texture = 5 + ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((size,) * 3), 1.5)
    return np.where(brain, texture, 0).astype(np.float32), brain


def simplex(points: Points) -> Points:
    """Simplex noise (N,) at points (N, 3)."""
    cell = np.floor(points + points.sum(1, keepdims=True) / 3)
    offset = points - cell + cell.sum(1, keepdims=True) / 6
    # The rank of each coordinate, the largest first, ties to the later axis but between x and the others to x.
    order = np.argsort(np.argsort(-offset, axis=1, kind="stable"), axis=1, kind="stable")
    total = np.zeros(len(points))
    for corner in range(4):
        step = order < corner
        total += share(cell + step, offset - step + corner / 6)
    return 32 * total


def share(corner: Points, offset: Points) -> Points:
    """What a corner of the lattice adds (N,): a gradient drawn by its hash, faded with distance."""
    primes = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
    key = (corner.astype(np.int64).astype(np.uint64) * primes).sum(1, dtype=np.uint64)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    gradient = (key >> np.uint64(33)) % np.uint64(12)
    pair = np.array([[0, 1], [0, 2], [1, 2]])[(gradient // np.uint64(4)).astype(int)]
    first, second = np.take_along_axis(offset, pair, axis=1).T
    slope = np.where(gradient & np.uint64(1), first, -first) + np.where(gradient & np.uint64(2), second, -second)
    return np.clip(0.6 - (offset**2).sum(1), 0, None) ** 4 * slope


def plain_mask(shape: Shape, centre_mm: Points, brain: Mask, spacing_mm: float) -> Mask:
    """The tumour's mask (X, Y, Z), from noise wherever the surface may lie."""
    voxels = np.indices(brain.shape).reshape(3, -1).T + 0.5
    body = (voxels * spacing_mm - centre_mm) @ np.linalg.inv(shape.body).T + shape.heart
    radius = np.linalg.norm(body, axis=1)
    mask = radius <= 1 - shape.roughness
    near = ~mask & (radius < 1 + shape.roughness)
    surface = body[near] / radius[near, None] + shape.offset
    noise = sum(simplex(surface * 2**k) / 2**k for k in range(shape.octaves)) / (2 - 0.5 ** (shape.octaves - 1))
    mask[near] = radius[near] <= 1 + shape.roughness * noise
    return mask.reshape(brain.shape) & brain


def plain(
    rng: np.random.Generator, normal: Image, brain: Mask, donor: Image, donor_brain: Mask, mm: float
) -> tuple[Image, Mask]:
    """The mixed image and its mask, whole volumes throughout."""
    box, donor_box = brain_box(brain), brain_box(donor_brain)
    shape = draw_shape(rng, OPTIONS)
    centre_mm = draw_centre(rng, OPTIONS, box, brain, np.full(3, mm))
    texture = draw_texture(rng, OPTIONS)
    brightness, sigma = rng.uniform(*OPTIONS.brightness), rng.uniform(*OPTIONS.opacity)
    mask = plain_mask(shape, centre_mm, brain, mm)
    voxels = np.indices(brain.shape).astype(np.float64)
    fractions = (voxels + 0.5 - box.low[:, None, None, None]) / box.size[:, None, None, None]
    shifts = [
        ndimage.map_coordinates(control, fractions * 4 + 1, order=3, prefilter=False) for control in texture.control_mm
    ]
    moved = (fractions + np.stack(shifts) / mm / box.size[:, None, None, None]) * donor_box.size[:, None, None, None]
    filled = np.where(donor_brain, donor, donor[donor_brain].mean())
    layer = ndimage.map_coordinates(filled, moved + donor_box.low[:, None, None, None] - 0.5, order=1, mode="nearest")
    layer = ndimage.gaussian_filter(layer, texture.blur_mm / mm)
    layer *= brightness * normal[brain].mean() / layer[mask].mean()
    return np.where(mask, sigma * layer + (1 - sigma) * normal, normal), mask


def measure(size: int, count: int) -> tuple[float, float]:
    """Median processor milliseconds of the block and of the plain version; raises if their tumours differ."""
    (normal, brain), (donor, donor_brain), mm = head(size, 0), head(size, 1), EXTENT_MM / size
    ours, theirs = [], []
    for seed in range(count):
        start = time.process_time()
        found = simulate(np.random.default_rng(seed), normal, brain, donor, donor_brain, (mm,) * 3, OPTIONS)
        ours.append(time.process_time() - start)
        if seed < 3:
            start = time.process_time()
            mixed, mask = plain(np.random.default_rng(seed), normal, brain, donor, donor_brain, mm)
            theirs.append(time.process_time() - start)
            if (mask != found.mask).sum() > 1 or np.abs(mixed - found.mixed)[mask & found.mask].max() > 0.01:
                raise SystemExit(f"size {size}, seed {seed}: the plain version gives another tumour")
    return 1000 * median(ours), 1000 * median(theirs)


def main() -> None:
    """Print a row per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="tumours per size")
    count = parser.parse_args().count
    print(f"{'grid':8}{'voxel':>9}{'block':>12}{'plain':>12}{'ratio':>9}")
    for size in SIZES:
        ours, theirs = measure(size, count)
        print(f"{size}^3".ljust(8) + f"{EXTENT_MM / size:6.2f} mm{ours:9.1f} ms{theirs:9.0f} ms{theirs / ours:8.0f}x")


if __name__ == "__main__":
    main()
