"""Other intensities than a prepared volume has: by the tissue outside the tumour, or by the whole crop.

A prepared volume has mean 0 and standard deviation 1 over the whole brain. A large bright tumour is part of both, so it
darkens itself and all tissue around it. `outside_tumour` needs no mask: a first pass, by medians, takes for tumour what
is bright and compact; mean and deviation of the rest of the brain become 0 and 1. `whole_crop` does what CLISC's code
does.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from unseg_bench.blocks.bright import outside_bright
from unseg_bench.blocks.tissue import standardise_by
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Volume
from unseg_bench.plugins.context import Artifact, Work, stage

Normalisation: TypeAlias = Literal["brain", "outside-tumour", "crop"]
"""What has mean 0 and standard deviation 1: the brain, what a first pass finds to lie outside the tumour, or the brain
and all that lies around it in its box (CLISC's code)."""

_BRIGHTEST = 0.999
"""CLISC's code cuts down what is brighter than this quantile of the crop."""


def outside_tumour(volume: Volume) -> Image:
    """Return the image (X, Y, Z) with mean 0 and deviation 1 over `outside_bright`, and 0 outside the brain."""
    return standardise_by(volume.image, volume.brain, outside_bright(volume))


def outside_tumour_volume(volume: Volume) -> Volume:
    """Return the volume with the image of `outside_tumour`, read-only, and a digest of its own."""
    return _shown(volume, outside_tumour(volume))


def outside_tumour_cohort(cohort: Cohort, run: Callable[..., Artifact]) -> Cohort:
    """Return the same cases by `outside_tumour_volume`, their images as read-only memory maps.

    `run`: a context's (`context.run`); the images are the result of its stage 'outside-tumour'.
    """
    return _shown_cohort(cohort, run(standardise_images, cohort=cohort), _shown)


@stage("outside-tumour", seeded=False)
def standardise_images(work: Work, *, cohort: Cohort) -> None:
    """Write `<case>.npy`, the image of `outside_tumour`, of every case."""
    _write(work, cohort, outside_tumour)


def whole_crop(volume: Volume) -> Image:
    """Return the image (X, Y, Z) as CLISC's code shows it: mean 0 and deviation 1 over the box, background included.

    What is brighter than the box's 99.9th percentile is cut down to it first. A prepared volume no longer knows how far
    below the brain its background was; here it lies at the brain's smallest value: in 28 patients of BraTS that is a
    median of 0.02 and at most 0.56 standard deviations of the brain too high. Source: HiLab-git/CLISC at b9d22c1,
    data/BraTS2020/preprocessing.py, which loses the last plane of each axis too; here it stays.
    """
    image = np.array(volume.image, dtype=np.float32)
    if not volume.brain.any():
        return image
    image[~volume.brain] = image[volume.brain].min()
    image = np.minimum(image, np.quantile(image, _BRIGHTEST, method="inverted_cdf"))
    deviation = float(image.std(dtype=np.float64))
    return (image - np.float32(image.mean(dtype=np.float64))) / np.float32(deviation if deviation > 0 else 1.0)


def whole_crop_volume(volume: Volume) -> Volume:
    """Return the volume with the image of `whole_crop`, all of which counts as brain, and a digest of its own.

    CLISC's code keeps to 'image is not 0', which after its z-score is true of the background too, so that nothing it
    draws ends at the brain.
    """
    return _cropped(volume, whole_crop(volume))


def whole_crop_cohort(cohort: Cohort, run: Callable[..., Artifact]) -> Cohort:
    """Return the same cases by `whole_crop_volume`; the images are the result of the stage 'whole-crop'."""
    return _shown_cohort(cohort, run(crop_images, cohort=cohort), _cropped)


@stage("whole-crop", seeded=False)
def crop_images(work: Work, *, cohort: Cohort) -> None:
    """Write `<case>.npy`, the image of `whole_crop`, of every case."""
    _write(work, cohort, whole_crop)


def _write(work: Work, cohort: Cohort, make: Callable[[Volume], Image]) -> None:
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        np.save(work.folder / f"{volume.case_id}.npy", make(volume), allow_pickle=False)


def _shown_cohort(cohort: Cohort, images: Artifact, show: Callable[[Volume, Image], Volume]) -> Cohort:
    def load(case_id: str) -> Volume:
        return show(cohort[case_id], images.array(case_id).view(np.ndarray))

    return Cohort(cohort.name, [(case_id, images.digest) for case_id in cohort.case_ids], load)


def _shown(volume: Volume, image: Image, words: str = "by tissue outside the tumour") -> Volume:
    """Return the volume with another image.

    Its digest is of the volume and of what was done, whatever code did it: what is drawn by it then stays the same.
    """
    image.flags.writeable = False
    return replace(volume, image=image, digest=hashlib.sha256(f"{volume.digest} {words}".encode()).hexdigest())


def _cropped(volume: Volume, image: Image) -> Volume:
    shown = _shown(volume, image, "by the whole crop")
    return replace(shown, brain=np.full(volume.shape, volume.brain.any(), dtype=np.bool_))
