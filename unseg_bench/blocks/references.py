"""References as stages depend on them: by their digest."""

import hashlib

import numpy as np

from unseg_bench.data.cohort import Cohort
from unseg_bench.plugins.context import Labels


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
