"""The label-free floors: Otsu against brute force, rules on made-up volumes, the default on real patients."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from unseg_bench_methods.threshold import Threshold, ThresholdOptions

from unseg_bench.blocks.bright import ball
from unseg_bench.blocks.otsu import otsu
from unseg_bench.blocks.smoothing import smooth_inside
from unseg_bench.data.nifti import read_image, read_labels
from unseg_bench.data.prepare import prepare
from unseg_bench.data.volume import Volume
from unseg_bench.plugins.conformance import check_method

RULES = ("otsu", "otsu3", "z", "z-largest", "smooth-z", "smooth-mad", "two-pass", "steepest")


def brute_force(values, classes, bins):
    """Otsu's definition by trying all thresholds: least variance within the classes, on the histogram's bin centres."""
    counts, edges = np.histogram(values, bins)
    centres = (edges[1:] + edges[:-1]) / 2

    def within(low, high):
        weight = counts[low:high]
        if weight.sum() == 0:
            return 0.0
        mean = (weight * centres[low:high]).sum() / weight.sum()
        return (weight * (centres[low:high] - mean) ** 2).sum()

    def cost(cuts):
        borders = (0, *cuts, bins)
        return sum(within(low, high) for low, high in pairwise(borders))

    best = min(combinations(range(1, bins), classes - 1), key=cost)
    return cost(best), cost, edges


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.sampled_from([2, 3]), far=st.floats(0.5, 8))
def test_otsu_is_the_best_of_all_thresholds(seed, classes, far):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(far * k, 1, rng.integers(5, 80)) for k in range(3)])
    bins = 24
    least, cost, edges = brute_force(values, classes, bins)
    cut = int(np.argmin(np.abs(edges - otsu(values, classes, bins))))
    chosen = [(cut,)] if classes == 2 else [(lower, cut) for lower in range(1, cut)]
    assert min(cost(cuts) for cuts in chosen) == pytest.approx(least, rel=1e-9, abs=1e-9)


def test_otsu_parts_clear_groups():
    values = np.concatenate([np.full(50, 0.0), np.full(30, 5.0), np.full(20, 9.0)])
    assert 5.0 < otsu(values, 3) < 9.0
    assert 0.0 < otsu(values, 2) < 5.0


def made_up(spacing_mm=(2.0, 2.0, 2.0), radius_mm=14.0):
    """A brain of noise with a bright ball that has a dark core, a speck of five voxels, and a thin bright sheet."""
    rng = np.random.default_rng(0)
    shape = tuple(round(100 / size) for size in spacing_mm)
    x, y, z = np.ogrid[tuple(slice(0, n) for n in shape)]
    mm = [axis * size for axis, size in zip((x, y, z), spacing_mm, strict=True)]
    brain = sum((axis - 50) ** 2 for axis in mm) < 46**2
    tumour = sum((axis - c) ** 2 for axis, c in zip(mm, (60, 50, 50), strict=True)) < radius_mm**2
    core = sum((axis - c) ** 2 for axis, c in zip(mm, (60, 50, 50), strict=True)) < 5**2
    anatomy = sum(np.cos(axis * 2 * np.pi / 25) for axis in mm) / 2
    raw = anatomy + rng.normal(0, 0.3, shape) + 4 * (tumour & ~core)
    raw[shape[0] // 5, shape[1] // 2, shape[2] // 2 : shape[2] // 2 + 3] = 8
    raw[:, shape[1] // 4, :] += 3.0
    image = np.zeros(shape, np.float32)
    image[brain] = (raw[brain] - raw[brain].mean()) / raw[brain].std()
    return Volume("made-up", image, brain, spacing_mm, "digest"), tumour, core


def run(volume, **options):
    return Threshold(ThresholdOptions(**options)).segment(volume, context=None)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("spacing_mm", [(2.0, 2.0, 2.0), (1.0, 1.0, 4.0)])
@pytest.mark.parametrize("rule", ["smooth-z", "smooth-mad", "z-largest", "otsu3", "two-pass", "steepest"])
def test_clean_up_leaves_the_tumour_only(rule, spacing_mm):
    volume, tumour, core = made_up(spacing_mm)
    mask = run(volume, rule=rule, cut=4.0 if rule == "smooth-mad" else None)
    assert dice(mask | core, tumour) > 0.85
    assert mask[:, : mask.shape[1] // 4 - 1].sum() == 0
    if rule not in ("z-largest", "otsu3"):
        assert (mask & core).sum() > 0.6 * core.sum()


def test_plain_rules_say_what_they_say():
    volume, _, _ = made_up()
    assert np.array_equal(run(volume, rule="z"), volume.brain & (volume.image > 1.5))
    assert np.array_equal(run(volume, rule="z", cut=0.7), volume.brain & (volume.image > 0.7))
    assert np.array_equal(run(volume, rule="otsu"), volume.brain & (volume.image > otsu(volume.image[volume.brain])))


def test_numbers_that_belong_to_the_smooth_rules():
    volume, _, _ = made_up()
    plain = run(volume, rule="smooth-z")
    assert run(volume, rule="smooth-z", cut=2.5).sum() < plain.sum()
    assert not np.array_equal(run(volume, rule="smooth-z", sigma_mm=5.0), plain)
    assert np.array_equal(run(volume, cut=1.25, sigma_mm=2.0, rule="smooth-z"), plain)
    assert np.array_equal(run(volume, cut=2.0, sigma_mm=2.0, rule="steepest"), run(volume))


def test_a_large_tumour_does_not_drown_itself_in_two_passes():
    # Of a third of the brain: the whole brain's mean and deviation rise so far that it is not bright any more.
    volume, tumour, core = made_up(radius_mm=34.0)
    drowned, found = run(volume, rule="smooth-z"), run(volume, rule="two-pass")
    assert dice(found | core, tumour & volume.brain) > dice(drowned | core, tumour & volume.brain) + 0.05


def test_smoothing_does_not_darken_the_rim():
    volume, _, _ = made_up()
    constant = np.where(volume.brain, np.float32(3), np.float32(0))
    smooth = smooth_inside(constant, volume.brain, 2.0, (2.0, 1.0, 3.0))
    assert np.allclose(smooth[volume.brain], 3, atol=1e-4)
    assert not smooth[~volume.brain].any()


def test_ball_is_measured_in_mm():
    assert ball(2.0, (2.0, 2.0, 2.0)).sum() == 7
    assert ball(2.0, (1.0, 1.0, 1.0)).sum() == 33
    assert ball(2.0, (1.0, 1.0, 5.0)).shape == (5, 5, 3)
    assert ball(2.0, (6.0, 6.0, 6.0)).sum() == 7


@pytest.mark.parametrize("rule", RULES)
def test_constant_brain_has_no_error(rule):
    brain = np.zeros((9, 9, 9), bool)
    brain[2:7, 2:7, 2:7] = True
    volume = Volume("flat", np.zeros((9, 9, 9), np.float32), brain, (1.0, 1.0, 1.0), "digest")
    assert not (run(volume, rule=rule) & ~brain).any()


@pytest.mark.parametrize("rule", RULES)
def test_keeps_the_contract(rule):
    assert [result for result in check_method(Threshold, ThresholdOptions(rule=rule)) if not result.passed] == []


def test_default_finds_most_of_the_tumour_of_real_patients(shared_dir):
    scores = []
    for image_path in sorted((shared_dir / "data" / "brats2013").glob("*/Flair_*.nii.gz")):
        image, brain, placement = prepare(read_image(image_path))
        volume = Volume("real", image, brain, (1.0, 1.0, 1.0), "digest")
        reference = placement.take(read_labels(next(image_path.parent.glob("OT*"))).data > 0)
        scores.append(dice(run(volume), reference))
    assert len(scores) == 6
    assert np.mean(scores) > 0.7


def test_unknown_rule_is_refused():
    with pytest.raises(ValidationError, match="smooth-mad"):
        ThresholdOptions(rule="best")
    assert Threshold.floor
