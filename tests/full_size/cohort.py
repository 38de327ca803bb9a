"""Thin volumes of BraTS's shape, grid and intensities, each with a tumour in three of seven slices."""

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

CASES = tuple(f"BraTS20_Training_{number:03d}" for number in (1, 2, 3, 4))
SHAPE = (240, 240, 7)
TUMOUR_SLICES = (3, 4, 5)
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
"""Of BraTS2020's files: 1 mm, x and y reversed."""
PARTS = {"train": CASES[:2], "valid": CASES[2:3], "test": CASES[3:]}


def write_cohort(folder: Path, split: Path) -> None:
    """Write FLAIR images (int16, a small brain of 124 x 150 mm, air 0), masks with BraTS's labels 1, 2, 4, and a split.

    Two of the U-Net's patches of 128 mm cover the brain.
    """
    split.mkdir(parents=True)
    for part, cases in PARTS.items():
        (split / f"{part}.txt").write_text("".join(f"{case}\n" for case in cases), encoding="utf-8")
    rng = np.random.default_rng(20)
    for number, case in enumerate(CASES):
        image, mask = _case(rng, number)
        place = folder / case
        place.mkdir(parents=True)
        nib.Nifti1Image(image, AFFINE).to_filename(place / f"{case}_flair.nii.gz")
        nib.Nifti1Image(mask, AFFINE).to_filename(place / f"{case}_seg.nii.gz")


def _case(rng: np.random.Generator, number: int) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    x, y, z = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]].astype(np.float64)
    brain = ((x - 120) / 62) ** 2 + ((y - 118) / 75) ** 2 < 1
    ventricle = (np.abs(x - 120) < 12) & (np.abs(y - 112) < 26 + 2 * z)
    image = 260 + 40 * np.sin(x / 11 + number) * np.cos(y / 13) + 18 * rng.standard_normal(SHAPE)
    image[ventricle] = 90 + 8 * rng.standard_normal(int(ventricle.sum()))
    off = np.hypot((x - 148 + 6 * number) / 20, (y - 150) / 16)
    here = np.isin(z, TUMOUR_SLICES)
    mask = np.zeros(SHAPE, np.uint8)
    for label, radius, bright in ((2, 1.0, 470), (4, 0.55, 560), (1, 0.25, 380)):
        part = here & (off < radius)
        mask[part] = label
        image[part] = bright + 25 * rng.standard_normal(int(part.sum()))
    return np.where(brain, np.clip(image, 1, None), 0).astype(np.int16), mask
