"""Intensities by the tissue outside the tumour, where no mask says where that is: two passes.

A prepared volume has mean 0 and standard deviation 1 over the whole brain. A large bright tumour is part of both, so it
darkens itself and all tissue around it. Here a first pass, by medians, takes for tumour what is bright and compact;
mean and deviation of the rest of the brain become 0 and 1.
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

Normalisation: TypeAlias = Literal["brain", "outside-tumour"]
"""What has mean 0 and standard deviation 1: the whole brain, or what a first pass finds to lie outside the tumour."""


def outside_tumour(volume: Volume) -> Image:
    """Return the image (X, Y, Z) with mean 0 and deviation 1 over `outside_bright`, and 0 outside the brain."""
    return standardise_by(volume.image, volume.brain, outside_bright(volume))


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


def _digest(volume: Volume) -> str:
    """The digest of the volume and of what was done, whatever code did it: what is drawn by it then stays the same."""
    return hashlib.sha256(f"{volume.digest} by tissue outside the tumour".encode()).hexdigest()
