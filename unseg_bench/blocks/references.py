"""References as stages depend on them: by their digest, as the result of a stage, and what reading them declares."""

import hashlib
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.resample import mask_to_shape
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import MASK_PARTS, SLICE_LABEL_PARTS
from unseg_bench.data.splits import Part
from unseg_bench.data.supervision import Supervision
from unseg_bench.plugins.context import Artifact, Context, Labels, Work, stage


def least_supervision(*, masks: Collection[Part] = (), slice_labels: Collection[Part] = ()) -> Supervision:
    """Return the least that a method must declare to read the masks and the slice labels of these parts.

    For methods whose options decide what is read: each option adds its parts, and the level follows. Masks of the part
    'test' are those that prompts are drawn from; a ceiling declares `TEST_MASKS` by itself.
    """
    # The levels stand in the order of what they grant.
    return next(
        level
        for level, parts in MASK_PARTS.items()
        if {*masks} <= {*parts} and {*slice_labels} <= {*SLICE_LABEL_PARTS[level]}
    )


def digest_of_masks(cohort: Cohort, labels: Labels, purpose: str) -> str:
    """Return the SHA-256 over all masks of a cohort, so that a corrected reference makes stages stale.

    Each mask is read once, for `purpose`; raises LabelAccessError where masks are not granted.
    """
    digest = hashlib.sha256()
    for case_id in cohort.case_ids:
        mask = labels.mask(case_id, purpose)
        digest.update(f"{case_id} {mask.shape} ".encode())
        digest.update(np.packbits(mask).tobytes())
    return digest.hexdigest()


def digest_of_slices(by_case: Mapping[str, NDArray[np.bool_]]) -> str:
    """Return the SHA-256 over which axial slices (Z,) of each case have tumour, to the same end."""
    digest = hashlib.sha256()
    for case_id, slices in by_case.items():
        digest.update(f"{case_id} {len(slices)} ".encode() + np.packbits(slices).tobytes())
    return digest.hexdigest()


def reference_masks(cohort: Cohort, context: Context, purpose: str, *, working: Cohort | None = None) -> Artifact:
    """Return the masks of a cohort as `<case>.npy`, (X, Y, Z) bool on its volumes' own grids.

    `working`: the same cases on another grid, for masks on that. They are read for `purpose` at each call; raises
    LabelAccessError where masks are not granted.
    """
    digest = digest_of_masks(cohort, context.labels, purpose)
    return context.run(
        collect_masks,
        cohort=cohort if working is None else working,
        masks=digest,
        extras={"labels": context.labels, "purpose": purpose},
    )


@stage("reference-masks", seeded=False)
def collect_masks(work: Work, *, cohort: Cohort, masks: str, labels: Labels, purpose: str) -> None:
    """Write the mask of every case, on the grid of its volume, as `<case>.npy`; `masks` is their digest."""
    for done, volume in enumerate(cohort):
        mask = mask_to_shape(labels.mask(volume.case_id, purpose), volume.shape)
        np.save(work.folder / f"{volume.case_id}.npy", mask, allow_pickle=False)
        work.progress(done + 1, len(cohort), volume.case_id)
