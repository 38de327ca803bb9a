"""Volumes at the voxel size that a method works at: resampled once, as a stage, then memory-mapped."""

import hashlib
import json
from collections.abc import Callable
from functools import cache

import numpy as np
from pydantic import Field

from unseg_bench.blocks.resample import resample, resample_mask
from unseg_bench.data.atomic import write_json
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.plugins.context import Artifact, Work, stage
from unseg_bench.plugins.method import MethodOptions

_DIGESTS = "volumes.json"


class WorkingGrid(MethodOptions):
    """The isotropic voxel size of working volumes."""

    spacing_mm: float = Field(gt=0)


def at_spacing(cohort: Cohort, spacing_mm: float | None, run: Callable[..., Artifact]) -> Cohort:
    """The same cases at an isotropic working spacing, as read-only memory maps; None leaves them as they are.

    `run`: a context's (`context.run`); the volumes are the result of its stage 'working-volumes'.
    """
    if spacing_mm is None:
        return cohort
    volumes = run(resample_volumes, WorkingGrid(spacing_mm=spacing_mm), cohort=cohort)
    spacing = (spacing_mm, spacing_mm, spacing_mm)

    @cache
    def digests() -> dict[str, str]:
        return json.loads(volumes.path(_DIGESTS).read_text(encoding="utf-8"))

    def load(case_id: str) -> Volume:
        image, brain = (volumes.array(f"{case_id}.{part}").view(np.ndarray) for part in ("image", "brain"))
        return Volume(case_id, image, brain, spacing, digests()[case_id])

    return Cohort(cohort.name, [(case_id, volumes.digest) for case_id in cohort.case_ids], load)


@stage("working-volumes", seeded=False)
def resample_volumes(work: Work, options: WorkingGrid, *, cohort: Cohort) -> None:
    """Write `<case>.image.npy` and `<case>.brain.npy` of every case, and `volumes.json`: each one's digest."""
    digests: dict[str, str] = {}
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        image, brain = _arrays_at(volume, options.spacing_mm)
        np.save(work.folder / f"{volume.case_id}.image.npy", image, allow_pickle=False)
        np.save(work.folder / f"{volume.case_id}.brain.npy", brain, allow_pickle=False)
        digests[volume.case_id] = _digest_at(volume, options.spacing_mm)
    write_json(work.folder / _DIGESTS, digests)


def volume_at_spacing(volume: Volume, spacing_mm: float | None) -> Volume:
    """One volume at an isotropic spacing, None: as it is; `resample.mask_to_shape` brings a mask of it back."""
    if spacing_mm is None:
        return volume
    image, brain = _arrays_at(volume, spacing_mm)
    image.flags.writeable = brain.flags.writeable = False
    spacing = (spacing_mm, spacing_mm, spacing_mm)
    return Volume(volume.case_id, image, brain, spacing, _digest_at(volume, spacing_mm))


def _arrays_at(volume: Volume, spacing_mm: float) -> tuple[Image, Mask]:
    target = (spacing_mm, spacing_mm, spacing_mm)
    brain = resample_mask(volume.brain, volume.spacing_mm, target)
    return np.where(brain, resample(volume.image, volume.spacing_mm, target), np.float32(0.0)), brain


def _digest_at(volume: Volume, spacing_mm: float) -> str:
    """The digest of the image and the spacing, whatever code resampled it: what is drawn by it then stays the same."""
    return hashlib.sha256(f"{volume.digest} at {spacing_mm} mm".encode()).hexdigest()
