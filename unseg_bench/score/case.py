"""One prediction and its reference in, the case's scores out."""

import math
from dataclasses import replace

from unseg_bench.errors import ScoreError
from unseg_bench.score import distances
from unseg_bench.score.distances import Mask, MaskPair, Spacing
from unseg_bench.score.empty import EMPTY_TABLE
from unseg_bench.score.record import CaseScore, Flag, Hd95Definition, ScoringRules

DEFAULT_RULES = ScoringRules()
_MM3_PER_ML = 1000.0


def score_case(
    prediction: Mask, reference: Mask, spacing_mm: Spacing, *, case: str = "", rules: ScoringRules = DEFAULT_RULES
) -> CaseScore:
    """Score one mask against its reference.

    Args: prediction, reference (X, Y, Z) bool on one grid, quickest when both are in the same memory order;
    spacing_mm mm per axis; case is only carried along.
    Raises: ScoreError where the arrays are not bool, not 3D, of two shapes, or the spacing is not positive.
    """
    _check(prediction, reference, spacing_mm, case)
    pair = distances.crop_pair(prediction, reference, spacing_mm)
    both = pair.prediction_count and pair.reference_count
    score = _score_full(pair, case, rules) if both else _score_empty(pair, case, rules)
    if pair.prediction_count < prediction.size:
        return score
    return replace(score, flags=(*score.flags, Flag.FULL_PREDICTION))


def warm_up() -> None:
    """Compile every kernel, or load it from the cache, so that the first real case does not wait for it."""
    distances.warm_up()


def _check(prediction: Mask, reference: Mask, spacing_mm: Spacing, case: str) -> None:
    """Refuse arrays that are not two 3D bool masks of one grid."""
    name = f"case {case}: " if case else ""
    if prediction.ndim != 3 or prediction.shape != reference.shape:
        raise ScoreError(
            f"{name}prediction {prediction.shape} and reference {reference.shape} are not 3D masks of one shape; "
            "write predictions on the image's own grid"
        )
    if prediction.dtype != bool or reference.dtype != bool:
        raise ScoreError(f"{name}masks must be bool arrays, not {prediction.dtype} and {reference.dtype}")
    if len(spacing_mm) != 3 or not all(math.isfinite(mm) and mm > 0 for mm in spacing_mm):
        raise ScoreError(f"{name}voxel spacing {spacing_mm} mm is not three positive numbers; mend the file's header")


def _volume_ml(voxels: int, spacing_mm: Spacing) -> float:
    return voxels * math.prod(spacing_mm) / _MM3_PER_ML


def _score_full(pair: MaskPair, case: str, rules: ScoringRules) -> CaseScore:
    """Scores of two masks that both have voxels."""
    borders = distances.border_distances(pair)
    return CaseScore(
        case=case,
        tumour_ml=_volume_ml(pair.reference_count, pair.spacing_mm),
        predicted_ml=_volume_ml(pair.prediction_count, pair.spacing_mm),
        dsc=2.0 * pair.common_count / (pair.prediction_count + pair.reference_count),
        hd95_mm=_hd95_mm(pair, borders, rules.hd95),
        hd_max_mm=borders.hd_max_mm(),
        hd95_max_directed_mm=borders.hd95_max_directed_mm(),
        surface_dsc=distances.surface_dsc(pair, rules.surface_tolerance_mm),
        precision=pair.common_count / pair.prediction_count,
        recall=pair.common_count / pair.reference_count,
        diagonal_mm=pair.grid_diagonal_mm,
        flags=() if pair.common_count else (Flag.NO_OVERLAP,),
    )


def _hd95_mm(pair: MaskPair, borders: distances.DirectedDistances, definition: Hd95Definition) -> float:
    """HD95 by the definition asked for; `borders` are the 6-neighbour distances, measured already."""
    if definition is Hd95Definition.SURFEL:
        return distances.surfel_hd95_mm(pair)
    if definition is Hd95Definition.BORDER_26:
        return distances.border_distances(pair, neighbours=26).hd95_mm()
    return borders.hd95_mm()


def _score_empty(pair: MaskPair, case: str, rules: ScoringRules) -> CaseScore:
    """Scores of a pair with at least one empty mask, from the table in `empty.py`."""
    empty = (pair.prediction_count == 0, pair.reference_count == 0)
    earned = EMPTY_TABLE[rules.empty][empty]
    distance_mm = earned.distance_diagonals * pair.grid_diagonal_mm
    return CaseScore(
        case=case,
        tumour_ml=_volume_ml(pair.reference_count, pair.spacing_mm),
        predicted_ml=_volume_ml(pair.prediction_count, pair.spacing_mm),
        dsc=earned.dsc,
        hd95_mm=distance_mm,
        hd_max_mm=distance_mm,
        hd95_max_directed_mm=distance_mm,
        surface_dsc=earned.surface_dsc,
        precision=earned.precision,
        recall=earned.recall,
        diagonal_mm=pair.grid_diagonal_mm,
        flags=tuple(flag for flag, on in zip((Flag.EMPTY_PREDICTION, Flag.EMPTY_REFERENCE), empty, strict=True) if on),
    )
