"""The ceilings: boxes by hand, the best threshold against all thresholds, and what they declare."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from unseg_bench_methods.oracles import BestThreshold, BestThresholdOptions, FilledBox, best_threshold, fill_boxes

from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Volume
from unseg_bench.plugins.conformance import check_method


class Asked:
    """A context that gives one reference, and keeps what was noted."""

    def __init__(self, reference):
        self.labels, self.reference, self.notes = self, reference, []

    def mask(self, case_id, purpose):
        return self.reference

    def note(self, event, values):
        self.notes.append(values)


def a_volume(image, brain=None):
    image = np.asarray(image, np.float32)
    return Volume("case", image, np.ones(image.shape, bool) if brain is None else brain, (1.0, 1.0, 2.0), "digest")


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_boxes_by_hand():
    mask = np.zeros((6, 5, 3), bool)
    mask[1, 3, 0] = mask[4, 1, 0] = True  # two corners far apart
    mask[2, 2, 2] = True  # a single voxel
    expected = np.zeros_like(mask)
    expected[1:5, 1:4, 0] = True
    expected[2, 2, 2] = True
    assert np.array_equal(fill_boxes(mask), expected)
    assert not fill_boxes(np.zeros_like(mask)).any()


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (5, 4, 3)))
def test_boxes_are_those_that_scipy_finds(mask):
    expected = np.zeros_like(mask)
    for z in range(3):
        for box in ndimage.find_objects(mask[:, :, z].astype(int)):
            expected[(*box, z)] = True
    assert np.array_equal(fill_boxes(mask), expected)


def test_filled_boxes_stay_inside_the_brain():
    brain = np.ones((6, 5, 3), bool)
    brain[2] = False
    mask = np.zeros_like(brain)
    mask[1, 1, 1] = mask[3, 2, 1] = True
    found = FilledBox(FilledBox.Options()).segment(a_volume(np.zeros((6, 5, 3)), brain), Asked(mask))
    assert sorted(zip(*np.nonzero(found), strict=True)) == [(1, 1, 1), (1, 2, 1), (3, 1, 1), (3, 2, 1)]


def test_the_best_threshold_by_hand():
    values = np.array([5.0, 3.0, 3.0, 2.0, 1.0])
    inside = np.array([True, True, False, True, False])
    # Taken from above: 1 voxel 2*1/(1+3), 3 voxels 2*2/(3+3), 4 voxels 2*3/(4+3), 5 voxels 2*3/(5+3).
    assert best_threshold(values, inside, 3) == (2.0, pytest.approx(6 / 7))
    # A tumour of which three more voxels lie outside the brain.
    assert best_threshold(values, inside, 6) == (2.0, pytest.approx(6 / 10))
    # One voxel of two and all of four both reach 2/3: the higher level is taken.
    assert best_threshold(np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, False, True]), 2) == (
        4.0,
        pytest.approx(2 / 3),
    )
    assert best_threshold(values, np.zeros(5, bool), 0) == (None, 1.0)
    assert best_threshold(values, np.zeros(5, bool), 7) == (None, 0.0)
    assert best_threshold(np.zeros(0), np.zeros(0, bool), 0) == (None, 1.0)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60), kinds=st.integers(1, 12), outside=st.integers(0, 5))
def test_the_best_threshold_is_the_best_of_all(seed, count, kinds, outside):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=kinds).astype(np.float32)[rng.integers(0, kinds, count)]
    inside = rng.random(count) < 0.4
    level, found = best_threshold(values, inside, int(inside.sum()) + outside)
    tried = {
        float(t): 2 * (inside & (values >= t)).sum() / ((values >= t).sum() + inside.sum() + outside) for t in values
    }
    if not inside.any():
        assert level is None
        assert found == float(outside == 0)
        return
    assert found == pytest.approx(max(tried.values()))
    assert level == max(t for t, score in tried.items() if score == max(tried.values()))


@pytest.mark.parametrize("sigma_mm", [0.0, 1.5])
def test_no_threshold_of_the_image_beats_it(sigma_mm):
    rng = np.random.default_rng(4)
    brain = np.ones((9, 8, 7), bool)
    brain[0] = False
    reference = np.zeros_like(brain)
    reference[3:6, 2:6, 2:5] = True
    image = np.where(brain, rng.normal(size=brain.shape) + 1.5 * reference, 0).astype(np.float32)
    context = Asked(reference)
    volume = a_volume(image, brain)
    mask = BestThreshold(BestThresholdOptions(sigma_mm=sigma_mm)).segment(volume, context)
    seen = smooth_inside(image, brain, sigma_mm, volume.spacing_mm) if sigma_mm else image
    best = max(dice(brain & (seen >= level), reference) for level in seen[brain])
    assert dice(mask, reference) == pytest.approx(best)
    (noted,) = context.notes
    assert (noted["case"], noted["dsc"]) == ("case", pytest.approx(best))
    assert np.array_equal(mask, brain & (seen >= np.float32(noted["at_least"])))


def test_the_largest_component_and_a_case_without_tumour():
    image = np.zeros((7, 3, 3))
    image[:2], image[5] = 2.0, 2.0
    reference = image > 0
    every, largest = (
        BestThreshold(BestThresholdOptions(largest=keep)).segment(a_volume(image), Asked(reference))
        for keep in (False, True)
    )
    assert np.array_equal(every, reference)
    assert np.array_equal(largest, reference & (np.arange(7) < 3)[:, None, None])
    healthy = Asked(np.zeros((7, 3, 3), bool))
    assert not BestThreshold(BestThresholdOptions()).segment(a_volume(image), healthy).any()
    assert healthy.notes == [{"case": "case", "at_least": None, "dsc": 1.0}]


@pytest.mark.parametrize(
    ("method", "supervision"),
    [(FilledBox, Supervision.PROMPTS_FROM_MASKS), (BestThreshold, Supervision.TEST_MASKS)],
)
def test_they_are_no_floors_and_read_masks_through_the_door(method, supervision):
    assert not method.floor
    assert method.supervision is supervision
    assert set(method.presets) >= {"paper", "demo"}
    results = {result.name: result for result in check_method(method)}
    assert all(result.passed for result in results.values())
    assert "labels, first the mask of test-6" in results["supervision"].detail


def test_options_of_the_best_threshold_keep_the_contract():
    options = BestThresholdOptions(sigma_mm=3.0, largest=True)
    assert [result for result in check_method(BestThreshold, options) if not result.passed] == []
