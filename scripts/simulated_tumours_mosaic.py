"""Draw simulated tumours on phantom heads into one PNG, one tumour a row, step by step.

    python scripts/simulated_tumours_mosaic.py docs/pictures/simulated-tumours.png

The columns: the normal head, the donor at the same place, its texture deformed, blurred and scaled, the mask,
the blend, and the blend with the outline of the mask.
No real case is ever drawn.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from unseg_bench.blocks.phantom.generator import generate_phantom
from unseg_bench.blocks.simulated_tumours.options import SimulatorOptions
from unseg_bench.blocks.simulated_tumours.shape import brain_box
from unseg_bench.blocks.simulated_tumours.simulate import simulate

TILE = (150, 180)
BRIGHTEST = 2.2
OUTLINE = (255, 70, 0)

Row = NDArray[np.uint8]


def head(seed: int, case: int, spacing_mm: float) -> NDArray[np.float32]:
    """A healthy phantom cropped to its brain, with the brain's mean at 1."""
    image = generate_phantom(cohort_seed=seed, case_index=case, tumour_ml=None, spacing_mm=spacing_mm).image
    box = brain_box(image > 0)
    start, stop = box.low.astype(int), (box.low + box.size).astype(int)
    inside = image[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    return np.ascontiguousarray(inside / inside[inside > 0].mean())


def draw_row(seed: int, row: int, spacing_mm: float) -> Row:
    """The six pictures (height, width, 3) of one tumour, in the axial slice where it is largest."""
    normal, donor = head(seed, 2 * row, spacing_mm), head(seed, 2 * row + 1, spacing_mm)
    spacing = (spacing_mm, spacing_mm, spacing_mm)
    options = SimulatorOptions()
    found = simulate(np.random.default_rng(seed + row), normal, normal > 0, donor, donor > 0, spacing, options)
    volume_ml = float(found.mask.sum()) * spacing_mm**3 / 1000
    print(f"row {row + 1}: {volume_ml:.0f} ml, brightness {found.brightness:.2f}, opacity {found.sigma:.2f}")
    k = int(found.mask.sum(axis=(0, 1)).argmax())
    donor_k = int((k + 0.5) / normal.shape[2] * donor.shape[2])
    mask = found.mask[:, :, k]
    texture = np.zeros_like(normal[:, :, k])
    texture[mask] = (found.mixed - np.float32(1 - found.sigma) * normal)[:, :, k][mask] / found.sigma
    mixed = found.mixed[:, :, k]
    pictures = [normal[:, :, k], donor[:, :, donor_k], texture, mask * np.float32(BRIGHTEST), mixed]
    tiles = [_tile(picture, spacing_mm) for picture in pictures]
    tiles.append(_tile(mixed, spacing_mm, ndimage.binary_dilation(mask) & ~mask))
    return np.concatenate(tiles, axis=1)


def _tile(picture: NDArray[np.floating], spacing_mm: float, edge: NDArray[np.bool_] | None = None) -> Row:
    """A slice (X, Y) as grey values, front up, one pixel a millimetre, centred in a tile; `edge` in orange."""
    grey = (np.clip(picture / BRIGHTEST, 0, 1) * 255).astype(np.uint8)
    tile = np.repeat(grey.T[:, :, None], 3, axis=2)
    if edge is not None:
        tile[edge.T] = OUTLINE
    size = (round(tile.shape[1] * spacing_mm), round(tile.shape[0] * spacing_mm))
    frame = Image.new("RGB", TILE)
    small = Image.fromarray(tile).resize(size, Image.Resampling.BICUBIC)
    frame.paste(small, ((TILE[0] - size[0]) // 2, (TILE[1] - size[1]) // 2))
    return np.asarray(frame)


def main() -> None:
    """Write the mosaic, with a palette of 128 colours to keep the file small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("png", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tumours", type=int, default=4)
    parser.add_argument("--spacing-mm", type=float, default=2.0)
    options = parser.parse_args()
    rows = [draw_row(options.seed, row, options.spacing_mm) for row in range(options.tumours)]
    Image.fromarray(np.concatenate(rows)).quantize(128).save(options.png, optimize=True)


if __name__ == "__main__":
    main()
