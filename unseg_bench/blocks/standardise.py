"""Intensities by the tissue outside the tumour, where no mask says where that is: two passes.

A prepared volume has mean 0 and standard deviation 1 over the whole brain. A large bright tumour is part of both, so it
darkens itself and all tissue around it. Here a first pass takes for tumour what is bright and compact, and mean and
deviation of the rest of the brain become 0 and 1; a second pass does the same on what came out.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from unseg_bench.blocks.components import largest_component
from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.plugins.context import Artifact, Work, stage

Normalisation: TypeAlias = Literal["brain", "outside-tumour"]
"""What has mean 0 and standard deviation 1: the whole brain, or what two passes take for tissue outside the tumour."""

_PASSES = 2
_LEVEL = 1.5
"""Standard deviations above the mean: what a pass calls bright."""
_SIGMA_MM, _MARGIN_MM = 2.0, 4.0
_ENOUGH = 0.2
"""Share of the brain that must be left to measure by."""


def outside_tumour(volume: Volume) -> Image:
    """Return the image (X, Y, Z) with mean 0 and standard deviation 1 outside what two passes take for tumour.

    A pass smooths, calls bright what lies more than 1.5 deviations above the mean, opens it, and takes the largest
    component with 4 mm around it for tumour. A brain in which nothing is bright, or that has too little left, stays as
    the pass before made it. Outside the brain the result is 0.
    """
    image = np.array(volume.image, dtype=np.float32)
    for _ in range(_PASSES):
        reference = volume.brain & ~_suspected(replace(volume, image=image))
        inside = image[reference]
        if not inside.size or inside.size < _ENOUGH * volume.brain.sum() or (deviation := float(inside.std())) == 0:
            break
        image = np.where(volume.brain, (image - inside.mean()) / np.float32(deviation), np.float32(0))
    return image


def outside_tumour_volume(volume: Volume) -> Volume:
    """Return the volume with the image of `outside_tumour`, read-only, and a digest of its own."""
    image = outside_tumour(volume)
    image.flags.writeable = False
    return replace(volume, image=image, digest=_digest(volume))


def outside_tumour_cohort(cohort: Cohort, run: Callable[..., Artifact]) -> Cohort:
    """Return the same cases by `outside_tumour_volume`, their images as read-only memory maps.

    `run`: a context's (`context.run`); the images are the result of its stage 'outside-tumour'.
    """
    images = run(standardise_images, cohort=cohort)

    def load(case_id: str) -> Volume:
        volume = cohort[case_id]
        return replace(volume, image=images.array(case_id).view(np.ndarray), digest=_digest(volume))

    return Cohort(cohort.name, [(case_id, images.digest) for case_id in cohort.case_ids], load)


@stage("outside-tumour", seeded=False)
def standardise_images(work: Work, *, cohort: Cohort) -> None:
    """Write `<case>.npy`, the image of `outside_tumour`, of every case."""
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        np.save(work.folder / f"{volume.case_id}.npy", outside_tumour(volume), allow_pickle=False)


def _suspected(volume: Volume) -> Mask:
    """Return what is bright and compact, and a margin around it; empty where nothing is."""
    from scipy import ndimage

    smooth = smooth_inside(volume.image, volume.brain, _SIGMA_MM, volume.spacing_mm)
    bright = largest_component(np.asarray(ndimage.binary_opening(volume.brain & (smooth > _LEVEL)), dtype=np.bool_))
    if not bright.any():
        return bright
    distance = np.asarray(ndimage.distance_transform_edt(~bright, sampling=volume.spacing_mm))
    return np.asarray(distance <= _MARGIN_MM, dtype=np.bool_)


def _digest(volume: Volume) -> str:
    """The digest of the volume and of what was done, whatever code did it: what is drawn by it then stays the same."""
    return hashlib.sha256(f"{volume.digest} by tissue outside the tumour".encode()).hexdigest()
