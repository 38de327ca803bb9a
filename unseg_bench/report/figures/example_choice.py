"""Which cases and which slices stand for all: by rule, not by taste."""

from collections.abc import Sequence

import numpy as np

from unseg_bench.compare.comparison import Comparison
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.report.case_images import CasePicture

PLACES = (0.1, 0.5, 0.9)
"""Where in the order of tumour volumes: the middle cases of the lowest, the middle and the highest of five groups."""


def chosen_cases(comparison: Comparison, case: str | None) -> list[str]:
    """Return a small, a medium and a large tumour, or the named case. Raises: ScoreError for an unknown case.

    Cases without a tumour are passed over; with fewer than three cases each stands once.
    """
    if case is not None:
        if case not in comparison.cases:
            raise ScoreError(f"--case {case}: no such case here.{did_you_mean(case, comparison.cases)}")
        return [case]
    volumes_ml = volumes(comparison)
    in_order = sorted((case for case in volumes_ml if volumes_ml[case] > 0), key=lambda case: (volumes_ml[case], case))
    if not in_order:
        raise ScoreError("examples: no case has a tumour in the reference; name one with --case")
    return list(dict.fromkeys(in_order[round(place * (len(in_order) - 1))] for place in PLACES))


def volumes(comparison: Comparison) -> dict[str, float]:
    """Return the reference's tumour volume in ml by case."""
    return {entry.case: entry.tumour_ml for entry in comparison.entries if entry.tumour_ml is not None}


def chosen_slice(picture: CasePicture, slice_index: int | None) -> int:
    """Return the index along z in the picture: the reference's largest area, or the slice of the file that was named.

    Without a reference the largest area of all predictions counts, without those the middle of the head. Raises:
    ScoreError where the named slice is outside the head.
    """
    depth, first = picture.image.shape[2], picture.start[2]
    if slice_index is not None:
        if not first <= slice_index < first + depth:
            raise ScoreError(
                f"--slice {slice_index}: the head of case {picture.case} is in slices {first} to {first + depth - 1}"
            )
        return slice_index - first
    for masks in ([picture.reference], list(picture.predictions.values())):
        if (area := _area(masks, depth)).any():
            return int(area.argmax())
    return depth // 2


def _area(masks: Sequence[np.ndarray], depth: int) -> np.ndarray:
    """Voxels per axial slice in any of the masks."""
    area = np.zeros(depth, dtype=np.int64)
    for mask in masks:
        area += mask.sum(axis=(0, 1))
    return area
