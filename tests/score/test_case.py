"""Empty masks, flags and bad input of one case."""

import math

import numpy as np
import pytest

from unseg_bench.errors import ScoreError
from unseg_bench.score.case import score_case, warm_up
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import Flag

GRID = (10, 20, 30)
SPACING_MM = (1.0, 2.0, 0.5)
DIAGONAL_MM = math.sqrt(10**2 + 40**2 + 15**2)


@pytest.fixture
def some():
    mask = np.zeros(GRID, dtype=bool)
    mask[2:5, 3:6, 4:9] = True
    return mask


@pytest.mark.parametrize("missed", ["prediction", "reference"])
def test_one_empty_mask_is_as_bad_as_can_be(some, missed):
    masks = {"prediction": some, "reference": some} | {missed: np.zeros_like(some)}
    score = score_case(**masks, spacing_mm=SPACING_MM)
    for name, value in score.values.items():
        assert value == pytest.approx(DIAGONAL_MM if name.endswith("_mm") else 0.0), name
    assert score.flags == (Flag(f"empty-{missed}"),)
    assert sorted((score.tumour_ml, score.predicted_ml)) == pytest.approx([0.0, 45 / 1000])


def test_two_empty_masks_agree(some):
    score = score_case(np.zeros_like(some), np.zeros_like(some), SPACING_MM)
    assert score.values == {name: 0.0 if name.endswith("_mm") else 1.0 for name in BUILT_IN}
    assert score.flags == (Flag.EMPTY_PREDICTION, Flag.EMPTY_REFERENCE)


def test_identical_masks_are_perfect(some):
    score = score_case(some, some.copy(), SPACING_MM, case="c")
    assert score.case == "c"
    assert score.values == {name: 0.0 if name.endswith("_mm") else 1.0 for name in BUILT_IN}
    assert score.flags == ()


def test_masks_apart_are_flagged(some):
    score = score_case(np.roll(some, 4, axis=0), some, SPACING_MM)
    assert (score.dsc, score.hd95_mm) == (0.0, pytest.approx(4.0))
    assert score.flags == (Flag.NO_OVERLAP,)


def test_pooling_hides_a_far_voxel_and_the_other_columns_show_it():
    reference = np.zeros((40, 40, 60), dtype=bool)
    reference[5:25, 5:25, 5:25] = True
    prediction = reference.copy()
    prediction[10, 10, 55] = True
    score = score_case(prediction, reference, (1.0, 1.0, 1.0))
    assert score.hd95_mm == 0.0
    assert score.values["hd_max_mm"] == 31.0


def test_masks_are_left_as_they_were(some):
    before = some.copy()
    score_case(some, np.roll(some, 1, axis=2), SPACING_MM)
    assert (some == before).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prediction": np.zeros((10, 20, 31), bool)}, "case p1: prediction .*31.* own grid"),
        ({"prediction": np.zeros(GRID, np.uint8)}, "case p1: masks must be bool.*uint8"),
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "case p1: voxel spacing"),
        ({"spacing_mm": (1.0, float("nan"), 1.0)}, "case p1: voxel spacing"),
    ],
)
def test_what_cannot_be_scored_is_named(some, change, message):
    with pytest.raises(ScoreError, match=message):
        score_case(**({"prediction": some, "reference": some, "spacing_mm": SPACING_MM, "case": "p1"} | change))


def test_warm_up_leaves_nothing_to_compile(some):
    from unseg_bench.score import kernels

    warm_up()
    compiled = [name for name, value in vars(kernels).items() if hasattr(value, "signatures") and name[0] != "_"]
    before = {name: len(getattr(kernels, name).signatures) for name in compiled}
    assert len(before) >= 7
    assert min(before.values()) == 1
    for order in "CF":
        score_case(np.asarray(some, order=order), np.asarray(np.roll(some, 2, axis=1), order=order), SPACING_MM)
    assert before == {name: len(getattr(kernels, name).signatures) for name in compiled}
