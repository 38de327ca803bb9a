"""The phantoms that the pair learns from, made once and kept: slices as brain z-scores, -99 outside the brain."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unseg_bench.blocks.phantom.generator import generate_phantom

from .fields import to_square

SIDE = 112
OUTSIDE = -99.0
SAM_SEED = 9100
CLIP_SEED = 9200
TUMOUR_ML = (2, 160)


def healthy_slices(folder: Path, volumes: int) -> Tensor:
    """Slices (N, 112, 112) of healthy phantoms with at least 300 brain pixels: what the SAM's scenes stand on."""
    path = folder / f"healthy_{SAM_SEED}_{volumes}.npy"
    if not path.exists():
        slices = [z for case in range(volumes) for z, _ in _axial(SAM_SEED, case, None) if (z > OUTSIDE).sum() >= 300]
        np.save(path, np.stack(slices).astype(np.float16))
    return torch.from_numpy(np.load(path))


def captioned_slices(folder: Path, volumes: int, healthy_share: float) -> tuple[Tensor, Tensor]:
    """Slices (N, 112, 112) and their tumour pixels (N,): what the CLIP's captions are about."""
    path = folder / f"captioned_{CLIP_SEED}_{volumes}.npz"
    if not path.exists():
        slices: list[NDArray[np.float32]] = []
        pixels: list[int] = []
        draw = np.random.default_rng(CLIP_SEED)
        for case in range(volumes):
            tumour_ml = float(np.exp(draw.uniform(*np.log(TUMOUR_ML))))
            healthy = case < volumes * healthy_share
            for z, mask in _axial(CLIP_SEED, case, None if healthy else tumour_ml):
                if (z > OUTSIDE).any():
                    slices.append(z)
                    pixels.append(int(mask.sum()))
        np.savez(path, slices=np.stack(slices).astype(np.float16), pixels=np.array(pixels))
    with np.load(path) as stored:
        return torch.from_numpy(stored["slices"]), torch.from_numpy(stored["pixels"])


def _axial(cohort_seed: int, case: int, tumour_ml: float | None) -> Iterator[tuple[NDArray[np.float32], NDArray]]:
    """Axial slices of one phantom as z-scores and its tumour masks, both (112, 112)."""
    phantom = generate_phantom(cohort_seed=cohort_seed, case_index=case, tumour_ml=tumour_ml, spacing_mm=2.0)
    image = np.asarray(phantom.image, dtype=np.float32)
    brain = image > 0
    z = (image - image[brain].mean()) / image[brain].std()
    marked = torch.from_numpy(np.where(brain, z, OUTSIDE)).permute(2, 0, 1)
    shifted = to_square(marked - OUTSIDE, SIDE) + OUTSIDE
    masks = to_square(torch.from_numpy(np.asarray(phantom.reference) > 0).permute(2, 0, 1).float(), SIDE) > 0
    yield from zip(shifted.numpy(), masks.numpy(), strict=True)
