"""DSC against the threshold: from one histogram the same as mask by mask, on a grid that masks shrink along evenly."""

import numpy as np
import pytest

from unseg_bench.score.case import score_case
from unseg_bench.score.curve import POINTS, DiceCurve, case_dice, dice_curve

SHAPE = (9, 8, 7)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def by_masks(scores, brain, reference, thresholds):
    masks = [(scores > threshold) & brain for threshold in thresholds]
    return [score_case(mask, reference, (1.0, 2.0, 3.0)).dsc for mask in masks]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("levels", [4, 100_000])
def test_each_point_is_the_dsc_of_that_mask(rng, share, levels):
    scores = (rng.integers(-levels, levels, SHAPE) / levels).astype(np.float32)
    brain, reference = rng.random(SHAPE) < 0.8, rng.random(SHAPE) < share
    thresholds = np.unique(np.append(rng.choice(scores[brain], 20), [-2, 0, 2])).astype(np.float32)
    elsewhere = np.count_nonzero(reference & ~brain)
    found = case_dice(scores[brain], reference[brain], elsewhere, thresholds)
    assert found == pytest.approx(by_masks(scores, brain, reference, thresholds), abs=1e-12)


def test_a_case_without_tumour_is_right_where_nothing_lies_above(rng):
    values = np.array([0, 1, 2, 2], np.float32)
    nothing = np.zeros(4, np.bool_)
    assert case_dice(values, nothing, 0, np.array([-1, 1, 2], np.float32)).tolist() == [0.0, 0.0, 1.0]
    assert case_dice(values[:0], nothing[:0], 0, np.array([0.5], np.float32)).tolist() == [1.0]
    assert case_dice(values[:0], nothing[:0], 3, np.array([0.5], np.float32)).tolist() == [0.0]


@pytest.fixture
def cases(rng):
    """Six cases of 2,000 voxels; tumour is higher on average, and a little of it lies outside the brain."""

    def case(number):
        tumour = rng.random(2000) < 0.05 * number
        return (rng.exponential(size=2000) + 2 * tumour).astype(np.float32), tumour, number

    return {f"case-{number}": case(number) for number in range(6)}


def test_the_curve_has_the_asked_thresholds_and_is_the_mean_over_cases(cases):
    curve = dice_curve(list(cases), cases.__getitem__, also=[1.0016300261020639, 2.5])
    assert len(curve.thresholds) == POINTS + 2
    assert (np.diff(curve.thresholds) > 0).all()
    assert np.float32(1.0016300261020639) in curve.thresholds
    rows = np.array([case_dice(*case, curve.thresholds) for case in cases.values()])
    assert curve.mean == pytest.approx(rows.mean(axis=0))
    assert curve.at(2.5) == pytest.approx(rows[:, curve.thresholds == 2.5].mean())
    low, high = curve.quartiles
    assert (low == np.percentile(rows, 25, axis=0)).all()
    assert (high == np.percentile(rows, 75, axis=0)).all()


def test_masks_shrink_by_the_same_factor_from_threshold_to_threshold(cases):
    curve = dice_curve(list(cases), cases.__getitem__)
    values = np.concatenate([values for values, _, _ in cases.values()])
    shares = np.array([(values > threshold).mean() for threshold in curve.thresholds])
    factors = shares[1:31] / shares[:30]
    assert factors == pytest.approx(1e-4 ** (1 / (POINTS - 1)), rel=0.03)


def test_the_oracle_is_the_maximum_of_the_mean():
    curve = DiceCurve(("a", "b"), np.array([1, 2, 3], np.float32), np.array([[0.2, 0.9, 0.4], [0.8, 0.3, 0.0]]))
    assert curve.oracle == (2.0, pytest.approx(0.6))


def test_a_map_of_one_value_is_one_threshold():
    flat = np.ones(10, np.float32), np.arange(10) < 3, 0
    curve = dice_curve(["a"], lambda case: flat, also=[0.5])
    assert curve.thresholds.tolist() == [0.5, 1.0]
    assert curve.mean.tolist() == [pytest.approx(2 * 3 / 13), 0.0]


def test_cases_without_a_brain_have_a_curve_too():
    nothing = np.zeros(0, np.float32), np.zeros(0, np.bool_), 2
    assert dice_curve(["a"], lambda case: nothing).mean.tolist() == [0.0]
