"""The ceilings: boxes by hand, the best threshold against all thresholds, and what they declare."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from unseg_bench_datasets.phantom import PhantomDataset, PhantomOptions
from unseg_bench_methods.oracles import BestThreshold, BestThresholdOptions, FilledBox, fill_boxes

from unseg_bench.blocks.bright import BrightRule, ball, bright
from unseg_bench.blocks.overlap import best_level
from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.data.nifti import read_image, read_labels
from unseg_bench.data.prepare import prepare
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
    assert best_level(values, inside, 3) == (2.0, pytest.approx(6 / 7))
    # A tumour of which three more voxels lie outside the brain.
    assert best_level(values, inside, 6) == (2.0, pytest.approx(6 / 10))
    # One voxel of two and all of four both reach 2/3: the higher level is taken.
    assert best_level(np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, False, True]), 2) == (
        4.0,
        pytest.approx(2 / 3),
    )
    assert best_level(values, np.zeros(5, bool), 0) == (None, 1.0)
    assert best_level(values, np.zeros(5, bool), 7) == (None, 0.0)
    assert best_level(np.zeros(0), np.zeros(0, bool), 0) == (None, 1.0)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60), kinds=st.integers(1, 12), outside=st.integers(0, 5))
def test_the_best_threshold_is_the_best_of_all(seed, count, kinds, outside):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=kinds).astype(np.float32)[rng.integers(0, kinds, count)]
    inside = rng.random(count) < 0.4
    level, found = best_level(values, inside, int(inside.sum()) + outside)
    tried = {
        float(t): 2 * (inside & (values >= t)).sum() / ((values >= t).sum() + inside.sum() + outside) for t in values
    }
    if not inside.any():
        assert level is None
        assert found == float(outside == 0)
        return
    assert found == pytest.approx(max(tried.values()))
    assert level == max(t for t, score in tried.items() if score == max(tried.values()))


def the_best(volume, reference, **options):
    context = Asked(reference)
    mask = BestThreshold(BestThresholdOptions(**options)).segment(volume, context)
    (noted,) = context.notes
    assert noted["case"] == volume.case_id
    if reference.any():
        assert noted["dsc"] == pytest.approx(dice(mask, reference))
    return mask


@pytest.mark.parametrize("sigma_mm", [0.0, 1.5])
def test_no_threshold_of_the_image_beats_it(sigma_mm):
    rng = np.random.default_rng(4)
    brain = np.ones((9, 8, 7), bool)
    brain[0] = False
    reference = np.zeros_like(brain)
    reference[3:6, 2:6, 2:5] = True
    image = np.where(brain, rng.normal(size=brain.shape) + 1.5 * reference, 0).astype(np.float32)
    volume = a_volume(image, brain)
    mask = the_best(volume, reference, sigma_mm=sigma_mm)
    for seen in (image, smooth_inside(image, brain, sigma_mm, volume.spacing_mm)):
        best = max(dice(brain & (seen >= level), reference) for level in seen[brain])
        assert dice(mask, reference) >= best - 1e-12


RULES = get_args(BrightRule)
OWN_CUT = ("otsu", "otsu3", "two-pass", "steepest")
"""Rules that the ceiling takes with their own cut alone."""


def beaten_by(volume, reference, cuts):
    """The rules and cuts of `threshold` that are better than the ceiling."""
    best = dice(the_best(volume, reference), reference)
    tried = [(rule, None) for rule in RULES] + [(rule, cut) for rule in RULES for cut in cuts if rule not in OWN_CUT]
    return [(rule, cut) for rule, cut in tried if dice(bright(volume, rule, cut, 2.0), reference) > best + 1e-12]


@pytest.mark.parametrize("case", [41, 50, 60])
def test_no_rule_of_threshold_beats_it_on_phantoms(case):
    dataset = PhantomDataset(PhantomOptions(spacing_mm=4.0))
    image, brain, placement = prepare(read_image(dataset.image(f"phantom-{case:04d}").path))
    reference = placement.take(read_labels(dataset.reference(f"phantom-{case:04d}").path).data > 0)
    volume = Volume("case", image, brain, (4.0, 4.0, 4.0), "digest")
    assert beaten_by(volume, reference, np.random.default_rng(case).uniform(0.0, 3.5, 4)) == []


@pytest.mark.slow
def test_no_rule_of_threshold_beats_it_on_real_patients(shared_dir):
    scores = []
    for folder in sorted((shared_dir / "data" / "brats2013").glob("brats_*"))[::2]:
        image, brain, placement = prepare(read_image(next(folder.glob("Flair_*"))))
        reference = placement.take(read_labels(next(folder.glob("OT*"))).data > 0)
        half = tuple(slice(None, None, 2) for _ in range(3))
        volume = Volume("case", np.ascontiguousarray(image[half]), np.ascontiguousarray(brain[half]), (2.0,) * 3, "")
        reference = np.ascontiguousarray(reference[half])
        scores.append(beaten_by(volume, reference, (0.8, 1.7)))
    assert scores == [[]] * 3


def test_the_level_of_an_opened_image_is_that_of_opened_masks():
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.normal(size=(14, 13, 12)), 1.0).astype(np.float32)
    brain, footprint = rng.random(image.shape) < 0.98, ball(2.0, (1.0, 1.0, 2.0))
    grey = np.where(brain, image, -np.inf)
    for step in (ndimage.grey_erosion, ndimage.grey_dilation):
        grey = step(grey, footprint=footprint, mode="constant", cval=-np.inf)
    for level in np.quantile(image, [0.3, 0.5, 0.7]):
        assert np.array_equal(grey >= level, ndimage.binary_opening(brain & (image >= level), footprint))


def test_one_component_of_several_and_its_holes():
    """A dim hollow ball that is the tumour, beside a larger bright one."""
    x, y, z = np.mgrid[:40, :20, :20]
    small, large = ((x - at) ** 2 + (y - 10) ** 2 + (z - 10) ** 2 for at in (10, 28))
    image = np.where((small < 36) & (small >= 4), 2.0, 0.0) + np.where(large < 64, 3.0, 0.0)
    volume = Volume("case", image.astype(np.float32), np.ones(image.shape, bool), (1.0, 1.0, 1.0), "digest")
    mask = the_best(volume, small < 36, sigma_mm=0.0)
    assert dice(mask, small < 36) > 0.9  # the opening takes the corners
    assert mask[10, 10, 10]
    assert not mask[x > 20].any()


def test_a_case_without_tumour_and_one_without_brain():
    image = np.zeros((7, 3, 3))
    image[:2], image[5] = 2.0, 2.0
    healthy = Asked(np.zeros((7, 3, 3), bool))
    assert not BestThreshold(BestThresholdOptions()).segment(a_volume(image), healthy).any()
    assert healthy.notes == [{"case": "case", "rule": "nothing", "at_least": None, "dsc": 1.0}]
    assert not the_best(a_volume(image, image > 5), image > 0).any()


@pytest.mark.parametrize(
    ("method", "supervision"),
    [(FilledBox, Supervision.PROMPTS_FROM_MASKS), (BestThreshold, Supervision.TEST_MASKS)],
)
def test_they_are_no_floors_and_read_masks_by_the_label_access(method, supervision):
    assert method.ceiling
    assert not method.floor
    assert method(method.Options()).supervision is supervision
    assert set(method.presets) >= {"paper", "demo"}
    results = {result.name: result for result in check_method(method)}
    assert all(result.passed for result in results.values())
    assert "labels, first the mask of test-6" in results["supervision"].detail


def test_options_of_the_best_threshold_keep_the_contract():
    options = BestThresholdOptions(sigma_mm=3.0)
    assert [result for result in check_method(BestThreshold, options) if not result.passed] == []
