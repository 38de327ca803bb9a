"""Cubes and classes: where a brain lies in its cube and that it comes back, centres, pooled classes, and filters."""

import numpy as np
import pytest
from scipy import ndimage, stats
from unseg_bench_methods.implicit_field.classes import PUBLISHED, class_count, k_means, to_scan
from unseg_bench_methods.implicit_field.cube import from_cube, normal_in_cube, place_cube, to_cube
from unseg_bench_methods.implicit_field.filters import commonest, mean_pool, min_pool, smooth, window_voxels
from unseg_bench_methods.implicit_field.options import ScanOptions, SmoothingOptions

from unseg_bench.errors import RunError
from unseg_bench.plugins.trial import make_volume


@pytest.fixture
def lopsided():
    """A box of brain, 20 x 30 x 12 voxels of 2 x 1 x 3 mm, off the middle, brightest at its far upper corner."""
    image, brain = np.zeros((40, 40, 20), np.float32), np.zeros((40, 40, 20), bool)
    brain[5:25, 8:38, 6:18] = True
    x, y, z = np.meshgrid(np.arange(20) / 20, np.arange(30) / 30, np.arange(12) / 12, indexing="ij")
    image[brain] = (x + 2 * y + 4 * z).ravel()
    return make_volume("lopsided", image, brain, (2.0, 1.0, 3.0))


def test_cube_has_a_fixed_margin_around_the_longest_side(lopsided):
    cube = place_cube(lopsided, ScanOptions(side=60, margin_mm=10.0))
    assert (cube.box, cube.voxel_mm) == ((slice(5, 25), slice(8, 38), slice(6, 18)), pytest.approx(1.0))
    assert cube.inner == (slice(10, 50), slice(15, 45), slice(12, 48))
    wide = place_cube(lopsided, ScanOptions(side=60, margin_mm=10.0, side_mm=120.0))
    assert wide.voxel_mm == pytest.approx(2.0)
    assert wide.inner_shape == (20, 15, 18)


def test_the_same_brain_has_the_same_size_whatever_field_of_view_it_comes_in(lopsided):
    options = ScanOptions(side=60)
    padded = make_volume("p", np.pad(lopsided.image, 9), np.pad(lopsided.brain, 9), lopsided.spacing_mm)
    first, second = to_cube(lopsided, options), to_cube(padded, options)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.brain, second.brain)


def test_axis_order_survives_a_round_trip(lopsided):
    options = ScanOptions(side=60, clip_percentiles=(0.0, 100.0))
    one = to_cube(lopsided, options)
    assert one.brain.sum() == 40 * 30 * 36
    back = from_cube(one.image, one.cube, lopsided)
    inside = lopsided.image[lopsided.brain]
    expected = (inside - inside.min()) / (inside.max() - inside.min())
    assert np.abs(back[lopsided.brain] - expected).max() < 0.05
    assert not back[~lopsided.brain].any()
    assert one.image[49, 44, 47] == one.image.max() == pytest.approx(1.0, abs=0.01)


def test_intensities_are_clipped_at_percentiles_and_the_rim_is_not_darkened():
    rng = np.random.default_rng(0)
    image, brain = np.zeros((20, 20, 20), np.float32), np.zeros((20, 20, 20), bool)
    brain[3:17, 3:17, 3:17] = True
    image[brain] = 100 + rng.normal(size=brain.sum())
    low, high = np.percentile(image[brain], (2, 98))
    one = to_cube(make_volume("a", image, brain), ScanOptions(side=14, margin_mm=0.0))
    expected = np.clip((image[brain] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(one.image.ravel(), expected, atol=1e-5)
    coarse = to_cube(make_volume("a", image, brain), ScanOptions(side=5, margin_mm=0.0))
    assert coarse.image[0].mean() == pytest.approx(coarse.image[2].mean(), abs=0.05)


@pytest.mark.parametrize(("scaling", "moves"), [("percentiles", True), ("robust", False)])
def test_a_tumour_above_the_percentile_moves_normal_tissue_unless_scaling_is_robust(scaling, moves):
    image, brain = np.zeros((20, 20, 20), np.float32), np.zeros((20, 20, 20), bool)
    brain[3:17, 3:17, 3:17] = True
    image[brain] = np.random.default_rng(0).normal(size=brain.sum())
    tumour = image.copy()
    tumour[4:9, 4:9, 4:9] = 8.0
    options = ScanOptions(side=14, margin_mm=0.0, scaling=scaling)
    first, second = (to_cube(make_volume("a", one, brain), options).image for one in (image, tumour))
    normal = np.ones((14, 14, 14), bool)
    normal[1:6, 1:6, 1:6] = False
    shift = abs(float(second[normal].mean() - first[normal].mean()))
    assert (shift > 0.2) is moves
    assert (shift < 0.02) is not moves
    if scaling == "robust":
        inside = image[brain]
        reach = 3 * stats.median_abs_deviation(inside, scale="normal")
        expected = np.clip((inside - np.median(inside) + reach) / (2 * reach), 0, 1)
        np.testing.assert_allclose(first.ravel(), expected, atol=1e-4)


def test_slices_of_the_cube_are_normal_where_all_they_touch_is(lopsided):
    cube = place_cube(lopsided, ScanOptions(side=20, margin_mm=0.0))
    normal = np.ones(20, bool)
    normal[10] = False
    found = normal_in_cube(normal, cube)
    inner = cube.inner[2]
    assert not found[: inner.start].any()
    assert not found[inner.stop :].any()
    low, high = 3.0 * 4, 3.0 * 5
    for number in range(inner.start, inner.stop):
        start = (number - inner.start) * 36 / cube.inner_shape[2]
        assert found[number] == (start + 36 / cube.inner_shape[2] <= low + 1e-9 or start >= high - 1e-9)


def test_centres_are_means_of_clusters():
    rng = np.random.default_rng(0)
    groups = [centre + 0.01 * rng.normal(size=200) for centre in (0.1, 0.5, 0.9)]
    values = rng.permutation(np.concatenate(groups)).astype(np.float32)
    np.testing.assert_allclose(k_means(values, 3), [group.mean() for group in groups], atol=1e-6)
    with pytest.raises(RunError, match=r"scan\.classes"):
        k_means(np.full(50, 0.5, np.float32), 3)
    with pytest.raises(RunError, match=r"scan\.classes"):
        k_means(np.zeros(0, np.float32), 3)


def test_background_is_a_class_of_its_own_or_shares_the_darkest(lopsided):
    centres = np.array([0.0, 0.5, 1.0], np.float32)
    own = ScanOptions(side=30, mode_pool_mm=0.0)
    shared = own.model_copy(update={"background": "shared"})
    assert (class_count(centres, own), class_count(centres, shared)) == (4, 3)
    first, second = to_scan(lopsided, centres, own), to_scan(lopsided, centres, shared)
    assert set(np.unique(first.classes[first.brain])) == {0, 1, 2}
    assert (first.classes[~first.brain] == 3).all()
    assert (second.classes[~second.brain] == 0).all()
    image = to_cube(lopsided, own).image
    nearest = np.abs(image[..., None] - centres).argmin(axis=-1)
    np.testing.assert_array_equal(first.classes[first.brain], nearest[first.brain])


def test_pooled_classes_never_put_background_into_the_brain(lopsided):
    scan = to_scan(lopsided, np.array(PUBLISHED, np.float32), ScanOptions(side=30, mode_pool_mm=12.0))
    np.testing.assert_array_equal(scan.classes == len(PUBLISHED), ~scan.brain)


@pytest.mark.parametrize("window", [2, 3])
def test_commonest_class_against_counting(window):
    classes = np.random.default_rng(3).integers(0, 4, (7, 6, 5)).astype(np.uint8)

    def count(values):
        return np.bincount(values[values < 9].astype(int), minlength=4).argmax()

    expected = ndimage.generic_filter(classes.astype(float), count, window, mode="constant", cval=9.0)
    np.testing.assert_array_equal(commonest(classes, 4, window), expected)
    assert commonest(classes, 4, 1) is classes


def test_an_even_window_looks_back():
    classes = np.zeros((4, 4, 4), np.uint8)
    classes[1:3, 1:3, 1:3] = 1
    np.testing.assert_array_equal(np.argwhere(commonest(classes, 2, 2)), [[2, 2, 2]])


@pytest.mark.parametrize(
    ("width_mm", "voxel_mm", "odd", "even"),
    [(4.5, 1.5, 3, 3), (22.5, 1.5, 15, 15), (3.0, 1.5, 1, 2), (3.0, 1.2, 3, 2), (4.5, 4.0, 1, 1), (0.0, 1.0, 1, 1)],
)
def test_windows_in_mm(width_mm, voxel_mm, odd, even):
    assert window_voxels(width_mm, voxel_mm) == odd
    assert window_voxels(width_mm, voxel_mm, even=True) == even


def test_min_pool_takes_lone_voxels_and_leaves_the_core_of_blocks():
    values = np.zeros((15, 15, 15), np.float32)
    values[2, 2, 2] = 5.0
    values[6:11, 6:11, 6:11] = 5.0
    found = min_pool(values, 3)
    expected = np.zeros_like(values)
    expected[7:10, 7:10, 7:10] = 5.0
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(min_pool(np.full((4, 4, 4), 2.0, np.float32), 3), 2.0)


def test_mean_pool_keeps_a_constant_away_from_the_border_and_counts_zeros_outside():
    found = mean_pool(np.full((9, 9, 9), 2.0, np.float32), 3)
    np.testing.assert_allclose(found[1:-1, 1:-1, 1:-1], 2.0, rtol=1e-6)
    assert found[0, 0, 0] == pytest.approx(2.0 * (2 / 3) ** 3)


def test_filters_are_off_below_a_voxel():
    values = np.random.default_rng(0).random((8, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(smooth(values, 12.0, SmoothingOptions(mean_pool_mm=20.0)), values)
    assert np.abs(smooth(values, 1.5, SmoothingOptions()) - values).max() > 0.1
