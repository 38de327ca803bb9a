"""Intensities measured by a chosen tissue."""

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.volume import Image, Mask


def robust_scores(image: NDArray[np.floating], brain: Mask) -> Image:
    """Return (X, Y, Z) float32: the distance from the brain's median in MADs, 0 outside the brain.

    MAD: the median absolute deviation from the median, not scaled to a normal distribution's standard deviation.
    """
    if not brain.any():
        return np.zeros(brain.shape, dtype=np.float32)
    inside = image[brain]
    median = np.median(inside)
    deviation = max(float(np.median(np.abs(inside - median))), float(np.finfo(np.float32).tiny))
    return np.where(brain, (image - median) / np.float32(deviation), np.float32(0)).astype(np.float32)


def standardise_by(image: Image, brain: Mask, tissue: Mask, percentiles: tuple[float, float] = (0.1, 99.9)) -> Image:
    """Return (X, Y, Z) float32 with mean 0 and standard deviation 1 over `tissue`, and 0 outside the brain.

    Intensities are first cut at `percentiles` of the brain. `tissue` is part of the brain; empty: all of it.
    """
    if not brain.any():
        return np.zeros(brain.shape, dtype=np.float32)
    low, high = np.percentile(image[brain], percentiles)
    cut = np.clip(image, np.float32(low), np.float32(high))
    measured = cut[tissue if tissue.any() else brain]
    deviation = max(float(measured.std()), 1e-6)
    return np.where(brain, (cut - measured.mean()) / np.float32(deviation), np.float32(0)).astype(np.float32)
