"""AMDA, adaptive masking-based data augmentation: hide what the CAM already found, so that it must find the rest."""

import zlib

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Artifact, Volume
from unseg_bench.blocks.prompts import bounding_box
from unseg_bench.blocks.slices import Pictures, to_pictures

from .options import AmdaOptions

Masks = NDArray[np.bool_]


class Amda:
    """Masks the labelled slices of a case, by its CAM where CLIP saw a tumour and at random elsewhere.

    With the rule 'brightness' no CAM is looked at, and all slices are treated alike. Called as `slice_set.Alter`.
    Source: CLISC (Ma et al., ISBI 2025), section 2.2; 'brightness' is what train/step1-3_AMDA.py of its code does.
    """

    def __init__(self, options: AmdaOptions, cams: Artifact, regions: Artifact, seed: int) -> None:
        self._options = options
        self._cams = cams
        self._regions = regions
        self._seed = seed

    @property
    def of_resized(self) -> bool:
        """Whether the pictures must have the classifier's size already: that of the CAMs is the volume's."""
        return self._options.rule == "brightness"

    def __call__(
        self, volume: Volume, slices: NDArray[np.intp], tumour: NDArray[np.bool_], pictures: Pictures
    ) -> Pictures:
        """Return the pictures (N, Y, X) with black holes: X (1 - M)."""
        if self._options.rule == "brightness":
            return np.where([brightness_mask(one, self._options.alpha) for one in pictures], np.uint8(0), pictures)
        rng = np.random.default_rng([self._seed, zlib.crc32(volume.digest.encode())])
        brain = to_pictures(volume.brain)[slices]
        masks = np.zeros(pictures.shape, dtype=np.bool_)
        if tumour.any():
            masks[tumour] = self._tumour_masks(volume, slices[tumour], pictures[tumour])
        models = masks[masks.any(axis=(1, 2))]
        for index in np.flatnonzero(~tumour):
            masks[index] = self._random_mask(brain[index], models, rng)
        return np.where(masks & brain, np.uint8(0), pictures)

    def _tumour_masks(self, volume: Volume, slices: NDArray[np.intp], pictures: Pictures) -> Masks:
        cam = np.asarray(to_pictures(self._cams.array(volume.case_id))[slices], dtype=np.float32)
        region = np.asarray(to_pictures(self._regions.array(volume.case_id))[slices])
        brain = to_pictures(volume.brain)[slices]
        alpha = self._options.alpha
        if self._options.rule == "cam-range":
            return np.array(
                [range_mask(*one, alpha) for one in zip(cam, region, pictures, strict=True)], dtype=np.bool_
            )
        within = region if self._options.within == "region" else brain
        return np.array([quantile_mask(*one, alpha) for one in zip(cam, within, strict=True)], dtype=np.bool_)

    def _random_mask(self, brain: Masks, models: Masks, rng: np.random.Generator) -> Masks:
        if self._options.normal_masks == "cam-shaped" and len(models):
            return models[rng.integers(len(models))]
        return random_rectangle(brain, self._options.alpha, rng)


def quantile_mask(cam: NDArray[np.float32], within: Masks, alpha: float) -> Masks:
    """The alpha % of the pixels of `within` whose CAM is highest, of those that have any; (Y, X) bool.

    The paper calls T_alpha the alpha-th percentile of Q0 but says that a large alpha hides all of the tumour, which
    holds only if alpha is the share that is hidden.
    """
    if alpha == 0 or not within.any():
        return np.zeros(cam.shape, dtype=np.bool_)
    return within & (cam > 0) & (cam >= np.percentile(cam[within], 100.0 - alpha))


def range_mask(cam: NDArray[np.float32], region: Masks, picture: NDArray[np.uint8], alpha: float) -> Masks:
    """What the authors' code means to do: the top alpha % of the CAM's range inside the region's box; (Y, X) bool.

    Without a region: `brightness_mask`.
    """
    if not region.any():
        return brightness_mask(picture, alpha)
    x0, y0, x1, y1 = bounding_box(region)
    inside = cam[y0 : y1 + 1, x0 : x1 + 1]
    mask = np.zeros(cam.shape, dtype=np.bool_)
    mask[y0 : y1 + 1, x0 : x1 + 1] = inside > inside.max() - alpha / 100.0 * (inside.max() - inside.min())
    return mask


def brightness_mask(picture: NDArray[np.uint8], alpha: float) -> Masks:
    """What the authors' code does: the top alpha % of the picture's own range; (Y, X) bool."""
    low, high = float(picture.min()), float(picture.max())
    return np.asarray(picture > high - alpha / 100.0 * (high - low))


def random_rectangle(brain: Masks, alpha: float, rng: np.random.Generator) -> Masks:
    """A rectangle of alpha % of the brain's box, up to twice as long as wide, at a random place in it; (Y, X) bool."""
    x0, y0, x1, y1 = bounding_box(brain)
    width, height = x1 - x0 + 1, y1 - y0 + 1
    aspect = 2.0 ** rng.uniform(-0.5, 0.5)
    side = (alpha / 100.0) ** 0.5
    columns, rows = (min(width, round(side * width * aspect)), min(height, round(side * height / aspect)))
    left, top = (x0 + rng.integers(width - columns + 1), y0 + rng.integers(height - rows + 1))
    mask = np.zeros(brain.shape, dtype=np.bool_)
    mask[top : top + rows, left : left + columns] = True
    return mask
