"""All predictions of a run against their references, several cases at a time."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unseg_bench.errors import ScoreError
from unseg_bench.score.case import DEFAULT_RULES, score_case
from unseg_bench.score.masks import Affine, LabelFile, read_mask, spacing_of
from unseg_bench.score.record import CaseScore, ScoringRules

ReferenceOf = Callable[[str], tuple[NDArray[np.bool_], Affine]]
"""Case id -> the reference mask (X, Y, Z) bool and its affine (4, 4); called from several threads at once."""

AFFINE_TOLERANCE_MM = 1e-3


def score_predictions(
    predictions: Mapping[str, Path],
    reference_of: ReferenceOf,
    *,
    workers: int = 1,
    rules: ScoringRules = DEFAULT_RULES,
    progress: Callable[[CaseScore], None] | None = None,
) -> list[CaseScore]:
    """Score every predicted file; the result is in the order of `predictions`, whatever the number of workers.

    Cases are spread over threads: unpacking and the kernels release the interpreter lock. `progress` is called in the
    caller's thread after each case. Raises: ScoreError of the first case (in order) that cannot be scored.
    """

    def score_one(item: tuple[str, Path]) -> CaseScore:
        case, path = item
        prediction = read_mask(path)
        reference, affine = reference_of(case)
        check_grid(case, path, prediction, reference, affine)
        return score_case(prediction.mask, reference, spacing_of(affine), case=case, rules=rules)

    scores: list[CaseScore] = []
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="score") as pool:
        try:
            for score in pool.map(score_one, predictions.items()):
                scores.append(score)
                if progress is not None:
                    progress(score)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return scores


def check_grid(case: str, path: Path, prediction: LabelFile, reference: NDArray[np.bool_], affine: Affine) -> None:
    """Refuse a prediction on another grid than its reference's. Raises: ScoreError saying what differs."""
    remedy = "write predictions on the image's own grid, with its affine"
    if prediction.mask.shape != reference.shape:
        raise ScoreError(
            f"case {case}: the prediction {path} has shape {prediction.mask.shape}, "
            f"its reference {reference.shape}; {remedy}"
        )
    worst = np.abs(prediction.affine - affine)
    if worst.max() > AFFINE_TOLERANCE_MM:
        row, column = np.unravel_index(int(worst.argmax()), worst.shape)
        raise ScoreError(
            f"case {case}: the affine of the prediction {path} differs from its reference's: "
            f"row {row + 1}, column {column + 1} is {prediction.affine[row, column]:.6g}, there {affine[row, column]:.6g}; "
            f"{remedy}"
        )
