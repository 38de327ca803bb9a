"""One prediction and its reference in, the case's scores out."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from unseg_bench.errors import ScoreError
from unseg_bench.plugins.metric import DIAGONAL, Metric, is_number
from unseg_bench.score import distances
from unseg_bench.score.distances import Mask, MaskPair, Spacing
from unseg_bench.score.metrics import MEASURED
from unseg_bench.score.record import CaseScore, Flag

_MM3_PER_ML = 1000.0


def score_case(
    prediction: Mask, reference: Mask, spacing_mm: Spacing, *, case: str = "", metrics: Sequence[Metric] = ()
) -> CaseScore:
    """Score one mask against its reference, by the metrics of this package and by those of plugins (`metrics`).

    Args: prediction, reference (X, Y, Z) bool on one grid, quickest when both are in the same memory order;
    spacing_mm mm per axis; case is only carried along.
    Raises: ScoreError where the arrays are not bool, not 3D, of two shapes, or the spacing is not positive; and naming
    the metric where a plugin's function fails or returns what is no finite number.
    """
    _check(prediction, reference, spacing_mm, case)
    pair = distances.crop_pair(prediction, reference, spacing_mm)
    measures = [(metric, partial(measure, pair)) for metric, measure in MEASURED]
    asked = (reference, prediction, spacing_mm, case)
    measures += [(metric, partial(_measured_by_plugin, metric, *asked)) for metric in metrics]
    return CaseScore(
        case=case,
        tumour_ml=_volume_ml(pair.reference_count, pair.spacing_mm),
        predicted_ml=_volume_ml(pair.prediction_count, pair.spacing_mm),
        values={metric.name: _value(metric, measure, pair) for metric, measure in measures},
        diagonal_mm=pair.grid_diagonal_mm,
        flags=_flags(pair, prediction.size),
    )


def warm_up() -> None:
    """Compile every kernel, or load it from the cache, so that the first real case does not wait for it."""
    distances.warm_up()


def _check(prediction: Mask, reference: Mask, spacing_mm: Spacing, case: str) -> None:
    """Refuse arrays that are not two 3D bool masks of one grid."""
    name = _named(case)
    if prediction.ndim != 3 or prediction.shape != reference.shape:
        raise ScoreError(
            f"{name}prediction {prediction.shape} and reference {reference.shape} are not 3D masks of one shape; "
            "write predictions on the image's own grid"
        )
    if prediction.dtype != bool or reference.dtype != bool:
        raise ScoreError(f"{name}masks must be bool arrays, not {prediction.dtype} and {reference.dtype}")
    if len(spacing_mm) != 3 or not all(math.isfinite(mm) and mm > 0 for mm in spacing_mm):
        raise ScoreError(f"{name}voxel spacing {spacing_mm} mm is not three positive numbers; mend the file's header")


def _named(case: str) -> str:
    return f"case {case}: " if case else ""


def _volume_ml(voxels: int, spacing_mm: Spacing) -> float:
    return voxels * math.prod(spacing_mm) / _MM3_PER_ML


def _value(metric: Metric, measure: Callable[[], float], pair: MaskPair) -> float:
    """What a case is worth: measured, or what the metric says that empty masks earn."""
    if metric.measures_empty or (pair.prediction_count and pair.reference_count):
        return measure()
    if not (pair.prediction_count or pair.reference_count):
        return metric.best
    if metric.worst == DIAGONAL:
        return pair.grid_diagonal_mm
    assert metric.worst is not None  # noqa: S101 - a metric without a worst value measures empty masks
    return metric.worst


def _flags(pair: MaskPair, voxels: int) -> tuple[Flag, ...]:
    """What is special about a pair on a grid of so many voxels."""
    empty = (pair.prediction_count == 0, pair.reference_count == 0)
    found = {
        Flag.EMPTY_PREDICTION: empty[0],
        Flag.EMPTY_REFERENCE: empty[1],
        Flag.NO_OVERLAP: not (any(empty) or pair.common_count),
        Flag.FULL_PREDICTION: pair.prediction_count == voxels,
    }
    return tuple(flag for flag, on in found.items() if on)


def _measured_by_plugin(metric: Metric, reference: Mask, prediction: Mask, spacing_mm: Spacing, case: str) -> float:
    """Ask a plugin's function; what goes wrong in it is told with metric and case."""
    assert metric.measure is not None  # noqa: S101 - plugins cannot register one without
    start, remedy = f"{_named(case)}metric '{metric.name}'", "mend or uninstall its plugin, and score again"
    try:
        value = metric.measure(_read_only(reference), _read_only(prediction), spacing_mm)
    except (Exception, SystemExit) as error:
        raise ScoreError(f"{start} failed with {type(error).__name__}: {error}; {remedy}") from error
    if not is_number(value):
        raise ScoreError(f"{start} returned {repr(value)[:80]}, which is no finite number; {remedy}")
    return float(value)


def _read_only(mask: Mask) -> Mask:
    view = mask.view()
    view.flags.writeable = False
    return view
