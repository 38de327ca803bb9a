"""All predictions of a run against their references, several cases at a time."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unseg_bench.cpus import usable_cpus
from unseg_bench.data.digests import file_digest, refuse_change
from unseg_bench.data.files import Progress
from unseg_bench.data.labels import refuse_negative
from unseg_bench.data.nifti import NiftiGrid, read_grid, read_labels
from unseg_bench.errors import ScoreError, UbenchError
from unseg_bench.plugins.metric import Metric
from unseg_bench.score.case import score_case
from unseg_bench.score.record import CaseScore

Affine = NDArray[np.float64]
ReferenceOf = Callable[[str], tuple[NDArray[np.bool_], Affine]]
"""Case id -> the reference mask (X, Y, Z) bool and its affine (4, 4); called from several threads at once."""
FileOf = Callable[[str], Path]
"""Case id -> its reference's file; raises DataError where there is none."""

AFFINE_TOLERANCE_MM = 1e-3


def score_predictions(
    predictions: Mapping[str, Path],
    reference_of: ReferenceOf,
    *,
    reference_file: FileOf | None = None,
    workers: int | None = None,
    metrics: Sequence[Metric] = (),
    progress: Progress | None = None,
    leave_out: Callable[[str, UbenchError], None] | None = None,
) -> list[CaseScore]:
    """Score every predicted file; the result is in the order of `predictions`, whatever the number of workers.

    Cases are spread over threads, by default one a processor that this process may use: unpacking and the kernels
    release the interpreter lock. `metrics`: those of plugins. `progress` is called in the caller's thread after each
    case with a score. One that cannot be scored is left out and told to `leave_out`; without it, the ScoreError or
    DataError of the first one (in order) is raised. Scores carry the digests of both files, of references where
    `reference_file` names them; a file that changes while it is read is an error.
    """

    def score_one(item: tuple[str, Path]) -> CaseScore | UbenchError:
        case, path = item
        try:
            files = [path, *([] if reference_file is None else [reference_file(case)])]
            digests = [file_digest(file) for file in files]
            # The header first: a file on another grid is never unpacked.
            grid = read_grid(path)
            reference, affine = reference_of(case)
            check_grid(case, grid, reference, affine)
            prediction = read_labels(path)
            refuse_negative(path, prediction.data)
            for file, digest in zip(files, digests, strict=True):
                refuse_change(file, digest)
            score = score_case(prediction.data > 0, reference, prediction.spacing_mm, case=case, metrics=metrics)
            return replace(
                score,
                prediction_sha256=digests[0],
                reference_sha256=digests[1] if len(digests) > 1 else "",
                tumour_sha256=mask_digest(reference),
            )
        except UbenchError as error:
            return error

    scores: list[CaseScore] = []
    with ThreadPoolExecutor(max_workers=workers or usable_cpus(), thread_name_prefix="score") as pool:
        try:
            for case, score in zip(predictions, pool.map(score_one, predictions.items()), strict=True):
                if isinstance(score, CaseScore):
                    scores.append(score)
                    if progress is not None:
                        progress(len(scores), len(predictions), case)
                elif leave_out is not None:
                    leave_out(case, score)
                else:
                    raise score
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return scores


def mask_digest(mask: NDArray[np.bool_]) -> str:
    """Return the SHA-256 of a mask's shape and voxels (X, Y, Z), in hexadecimal."""
    return hashlib.sha256(f"{mask.shape} ".encode() + np.packbits(mask).tobytes()).hexdigest()


def check_grid(case: str, prediction: NiftiGrid, reference: NDArray[np.bool_], affine: Affine) -> None:
    """Refuse a prediction on another grid than its reference's. Raises: ScoreError saying what differs."""
    start = f"case {case}: the prediction {prediction.path}"
    remedy = "write predictions on the image's own grid, with its affine"
    if prediction.shape != reference.shape:
        raise ScoreError(f"{start} has shape {prediction.shape}, its reference {reference.shape}; {remedy}")
    apart = np.abs(prediction.affine - affine)
    if apart.max() > AFFINE_TOLERANCE_MM:
        row, column = np.unravel_index(int(apart.argmax()), apart.shape)
        raise ScoreError(
            f"{start} lies elsewhere than its reference: row {row + 1}, column {column + 1} of the affine is "
            f"{prediction.affine[row, column]:.6g}, there {affine[row, column]:.6g}; {remedy}"
        )
