"""References as stages depend on them: by their digest, and as the result of a stage."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.cohort import Cohort
from unseg_bench.plugins.context import Artifact, Context, Labels, Work, stage


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


def reference_masks(cohort: Cohort, context: Context, purpose: str) -> Artifact:
    """Return the masks of a cohort as `<case>.npy`, (X, Y, Z) bool on its volumes' own grids.

    They are read for `purpose` at each call; raises LabelAccessError where masks are not granted.
    """
    digest = digest_of_masks(cohort, context.labels, purpose)
    return context.run(
        collect_masks, cohort=cohort, masks=digest, extras={"labels": context.labels, "purpose": purpose}
    )


@stage("reference-masks", seeded=False)
def collect_masks(work: Work, *, cohort: Cohort, masks: str, labels: Labels, purpose: str) -> None:
    """Write the mask of every case as `<case>.npy`; `masks` is their digest."""
    for done, case_id in enumerate(cohort.case_ids):
        np.save(work.folder / f"{case_id}.npy", labels.mask(case_id, purpose), allow_pickle=False)
        work.progress(done + 1, len(cohort), case_id)
