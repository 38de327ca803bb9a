"""Cases of a training on disk: opened at each look, resampled once, with the places of the tumour."""

import numpy as np
import pytest

from unseg_bench.blocks.patches import PatchSampler
from unseg_bench.blocks.resample import mask_to_shape, resample_to_shape
from unseg_bench.blocks.working_cases import CohortCases, LabelledCase, WorkingCases
from unseg_bench.plugins.trial import tiny_case, tiny_cohort

CASES = [tiny_case(f"case-{number}", number, spacing_mm=(2.0, 3.0, 4.0)) for number in range(3)]


def cohort_cases(case_ids=("case-2", "case-0")):
    labels = {case.volume.case_id: case.reference for case in CASES}
    return CohortCases(tiny_cohort("train", CASES), labels.__getitem__, case_ids)


class Counted:
    """Cases that count how often they are looked at."""

    def __init__(self, cases):
        self.cases, self.looks = cases, 0

    def __len__(self):
        return len(self.cases)

    def __getitem__(self, number):
        self.looks += 1
        return self.cases[number]


def test_cases_of_a_cohort_are_those_asked_for_in_that_order():
    cases = cohort_cases()
    assert len(cases) == 2
    assert [np.array_equal(cases[0].image, case.volume.image) for case in CASES] == [False, False, True]
    assert np.array_equal(cases[1].label, CASES[0].reference)
    assert len(list(cases)) == 2


def test_resampled_once_and_the_same_when_a_killed_training_goes_on(tmp_path):
    source = Counted(cohort_cases())
    working = WorkingCases(source, 5.0, tmp_path / "cases")
    looks = source.looks
    again = WorkingCases(source, 5.0, tmp_path / "cases")
    for cases in (working, again):
        case, original = cases[1], CASES[0]
        assert np.array_equal(case.image, resample_to_shape(original.volume.image, case.image.shape))
        assert np.array_equal(case.label, mask_to_shape(original.reference, case.image.shape))
        assert np.array_equal(case.tumour, np.flatnonzero(case.label))
        assert case.spacing_mm == (5.0, 5.0, 5.0)
        assert not case.image.flags.writeable
    assert source.looks == looks == 2


def test_half_written_cases_are_written_again(tmp_path):
    WorkingCases(cohort_cases(), 5.0, tmp_path)
    (tmp_path / "complete").unlink()
    (tmp_path / "0.image.npy").write_bytes(b"half")
    assert WorkingCases(cohort_cases(), 5.0, tmp_path)[0].image.shape == (12, 22, 23)


@pytest.mark.parametrize("spacing_mm", [None, 4.0])
def test_own_grid_is_not_copied(tmp_path, spacing_mm):
    case = LabelledCase(CASES[0].volume.image, CASES[0].reference, CASES[0].volume.brain, (4.0, 4.0, 4.0))
    working = WorkingCases([case], spacing_mm, tmp_path)
    assert working[0].image is case.image
    assert not list(tmp_path.glob("*.image.npy"))


def test_patches_are_the_same_with_the_places_of_the_tumour_and_without(tmp_path):
    options = {"size": (10, 10, 10), "batch_size": 2, "seed": 3, "foreground_share": 1.0}
    with_places = PatchSampler(WorkingCases(cohort_cases(), None, tmp_path), **options)
    without = PatchSampler(cohort_cases(), **options)
    for step in range(4):
        assert all((a == b).all() for a, b in zip(with_places(step), without(step), strict=True))
