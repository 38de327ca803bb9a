"""Many predictions against their references: order, threads, progress, and grids that differ."""

import threading

import nibabel
import numpy as np
import pytest

from unseg_bench.errors import DataError, ScoreError
from unseg_bench.score.case import score_case
from unseg_bench.score.predictions import score_predictions

AFFINE = np.array([[-1.0, 0, 0, 5], [0, 0, 2.0, 6], [0, 3.0, 0, 7], [0, 0, 0, 1]])  # axes swapped: X, Z, Y
SPACING_MM = (1.0, 3.0, 2.0)


@pytest.fixture
def run(tmp_path):
    """Seven predictions on disk (bigger labels are tumour too), and their references in memory."""
    rng = np.random.default_rng(0)
    paths, references = {}, {}
    for i in range(7):
        case = f"case{6 - i}"
        prediction = (rng.random((9, 11, 13)) < 0.2).astype(np.uint8) * (i + 1)
        references[case] = rng.random((9, 11, 13)) < 0.2
        paths[case] = tmp_path / f"{case}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(prediction, AFFINE), paths[case])
    return paths, references


@pytest.mark.parametrize("workers", [1, 4])
def test_scores_come_in_order_with_the_files_spacing(run, workers):
    paths, references = run
    told = []
    tell = lambda *step: told.append(step)  # noqa: E731
    scores = score_predictions(paths, lambda case: (references[case], AFFINE), workers=workers, progress=tell)
    expected = [
        score_case(np.asarray(nibabel.load(path).dataobj) > 0, references[case], SPACING_MM, case=case)
        for case, path in paths.items()
    ]
    assert scores == expected
    assert told == [(done, 7, case) for done, case in enumerate(paths, start=1)]


def test_cases_are_scored_side_by_side(run):
    paths, references = run
    both = threading.Barrier(2, timeout=20)  # passes only when two references are opened at the same time
    pair = dict(list(paths.items())[:2])

    def reference_of(case):
        both.wait()
        return references[case], AFFINE

    assert len(score_predictions(pair, reference_of, workers=2)) == 2


def test_there_are_as_many_threads_as_processors_that_may_be_used(run, monkeypatch):
    paths, references = run
    monkeypatch.setattr("unseg_bench.score.predictions.usable_cpus", lambda: 1)
    threads = set()

    def reference_of(case):
        threads.add(threading.get_ident())
        return references[case], AFFINE

    score_predictions(paths, reference_of)
    assert len(threads) == 1
    monkeypatch.setattr("unseg_bench.score.predictions.usable_cpus", lambda: 2)
    both = threading.Barrier(2, timeout=20)
    assert len(score_predictions(dict(list(paths.items())[:2]), lambda case: (both.wait(), reference_of(case))[1])) == 2


def test_another_shape_is_refused(run):
    paths, references = run
    with pytest.raises(ScoreError, match=r"case6.*case6\.nii\.gz has shape \(9, 11, 13\), its reference \(9, 11, 12\)"):
        score_predictions(paths, lambda case: (references[case][:, :, :-1], AFFINE))


def test_another_place_is_refused_and_rounding_is_not(run):
    paths, references = run
    near, far = AFFINE + 0.0009, AFFINE.copy()
    near[3] = AFFINE[3]
    far[1, 3] += 0.5
    assert len(score_predictions(paths, lambda case: (references[case], near))) == 7
    with pytest.raises(ScoreError, match=r"row 2, column 4 of the affine is 6, there 6\.5"):
        score_predictions(paths, lambda case: (references[case], far))


def test_a_missing_file_and_a_reference_that_fails_are_passed_on(run, tmp_path):
    paths, references = run
    with pytest.raises(DataError, match="absent"):
        score_predictions({"x": tmp_path / "absent.nii.gz"}, lambda case: (references[case], AFFINE))

    def refuse(case):
        raise DataError(f"no mask for {case}")

    with pytest.raises(DataError, match="no mask for case6"):
        score_predictions(paths, refuse, workers=2)
