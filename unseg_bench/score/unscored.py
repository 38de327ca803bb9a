"""What is known of cases without a score: of their references, for tables in which a missing case counts."""

from collections.abc import Iterable

import numpy as np

from unseg_bench.errors import UbenchError
from unseg_bench.score.case import score_case
from unseg_bench.score.predictions import ReferenceOf


def unscored_facts(cases: Iterable[str], reference_of: ReferenceOf) -> dict[str, dict[str, float]]:
    """Return the tumour's volume (ml) and the grid's diagonal (mm) by case; nothing for a reference that is unreadable.

    These go into the run's record as `unscored`: a comparison opens no image.
    """
    facts: dict[str, dict[str, float]] = {}
    for case in cases:
        try:
            reference, affine = reference_of(case)
        except UbenchError:
            continue
        x, y, z = np.linalg.norm(affine[:3, :3], axis=0).tolist()
        score = score_case(np.zeros_like(reference), reference, (x, y, z), case=case)
        facts[case] = {"tumour_ml": score.tumour_ml, "diagonal_mm": score.diagonal_mm}
    return facts
