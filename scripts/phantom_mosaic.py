"""Draw slices of phantoms into one PNG, one head a row, to see what the embedded data set looks like.

    python scripts/phantom_mosaic.py phantoms.png --cases 8 --seed 1 --outline
    python scripts/phantom_mosaic.py both.png --beside '/data/*/*_flair.nii.gz'

With `--beside`, real FLAIR files are drawn the same way under the phantoms (their background is their minimum).
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from unseg_bench.blocks.phantom.generator import generate_phantom, tumour_volumes_ml

HEIGHTS = (0.2, 0.32, 0.44, 0.55, 0.66, 0.78, 0.88)
TILE = (164, 200)
DARKEST_Z, BRIGHTEST_Z = -2.6, 3.2
OUTLINE = (255, 70, 0)

Row = NDArray[np.uint8]


def draw_row(image: NDArray[np.floating], reference: NDArray[np.bool_], spacing_mm: float) -> Row:
    """Axial slices (height, width, 3) of one head at fixed heights of its brain, front up, scaled by its z-scores."""
    brain = image > image.min()
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(brain))
    inside = image[brain]
    z = np.where(brain, (image - inside.mean()) / inside.std(), DARKEST_Z)[box]
    grey = (np.clip((z - DARKEST_Z) / (BRIGHTEST_Z - DARKEST_Z), 0, 1) * 255).astype(np.uint8)
    edge = (ndimage.binary_dilation(reference) & ~reference)[box]
    tiles = []
    for height in HEIGHTS:
        k = int(height * grey.shape[2])
        tile = np.repeat(grey[:, :, k].T[:, :, None], 3, axis=2)
        tile[edge[:, :, k].T] = OUTLINE
        tiles.append(_framed(tile, spacing_mm))
    return np.concatenate(tiles, axis=1)


def _framed(tile: Row, spacing_mm: float) -> Row:
    """Enlarge a slice to one pixel a millimetre and centre it in a tile."""
    size = (round(tile.shape[1] * spacing_mm), round(tile.shape[0] * spacing_mm))
    picture = Image.fromarray(tile).resize(size, Image.Resampling.BICUBIC)
    frame = Image.new("RGB", TILE)
    frame.paste(picture, ((TILE[0] - size[0]) // 2, (TILE[1] - size[1]) // 2))
    return np.asarray(frame)


def phantom_rows(seed: int, cases: int, spacing_mm: float, outline: bool) -> list[Row]:
    """One row a phantom, with the tumour outlined on request."""
    rows = []
    for case, volume_ml in enumerate(tumour_volumes_ml(cases, seed)):
        phantom = generate_phantom(cohort_seed=seed, case_index=case, tumour_ml=float(volume_ml), spacing_mm=spacing_mm)
        print(f"row {case + 1}: {phantom.kind}, {phantom.tumour_ml:.1f} ml")
        rows.append(draw_row(phantom.image, phantom.reference & outline, spacing_mm))
    return rows


def real_rows(pattern: str) -> list[Row]:
    """One row a NIfTI file in LPS whose path matches the pattern."""
    import nibabel as nib

    base = Path(pattern).anchor or "."
    rows = []
    for path in sorted(Path(base).glob(pattern.removeprefix(base))):
        volume = nib.load(path)
        image = volume.get_fdata(dtype=np.float32)
        print(f"row: {path}")
        rows.append(draw_row(image, np.zeros(image.shape, np.bool_), float(volume.header.get_zooms()[0])))
    return rows


def main() -> None:
    """Write the mosaic."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("png", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--spacing-mm", type=float, default=2.0)
    parser.add_argument("--outline", action="store_true", help="draw the tumour's outline")
    parser.add_argument("--beside", metavar="GLOB", help="real FLAIR files to draw below")
    options = parser.parse_args()
    rows = phantom_rows(options.seed, options.cases, options.spacing_mm, options.outline)
    rows += real_rows(options.beside) if options.beside else []
    Image.fromarray(np.concatenate(rows)).save(options.png)


if __name__ == "__main__":
    main()
