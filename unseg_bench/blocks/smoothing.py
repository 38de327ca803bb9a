"""Smoothing that stays inside the brain."""

import numpy as np

from unseg_bench.data.volume import Image, Mask


def smooth_inside(image: Image, brain: Mask, sigma_mm: float, spacing_mm: tuple[float, float, float]) -> Image:
    """Return the Gaussian mean (X, Y, Z) over the brain's voxels only, so that the brain's rim is not darkened.

    `sigma_mm`: the Gaussian's standard deviation. Outside the brain the result is 0.
    """
    from scipy import ndimage

    sigma = [sigma_mm / size for size in spacing_mm]
    weight = ndimage.gaussian_filter(brain.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(brain, image, np.float32(0)), sigma)
    return np.divide(total, weight, out=np.zeros_like(total), where=brain)
