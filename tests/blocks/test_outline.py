"""The steepest outline: it finds the image's edge, wherever within reach the probability has its own."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unseg_bench.blocks.outline import on_grid, steepest_outline
from unseg_bench.blocks.resample import resample_to_shape

SHAPE = (40, 44, 40)
MM = 2.5


def ball(radius, centre=(20, 22, 20), shape=SHAPE):
    return sum((axis - c) ** 2 for axis, c in zip(np.indices(shape), centre, strict=True)) < radius**2


def image_of(tumour, brain, height=2.0):
    rough = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1.0)
    image = gaussian_filter(tumour.astype(float) * height, 0.7) + 0.1 * rough / rough.std()
    return np.where(brain, image, 0).astype(np.float32)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


BRAIN = ball(18)


@pytest.mark.parametrize(("radius", "at_least"), [(5, 0.93), (6, 0.93), (7, 0.93), (8, 0.84), (9, 0.84)])
def test_the_edge_is_found_from_a_tight_and_from_a_wide_probability(radius, at_least):
    tumour = ball(7, (22, 22, 20))
    probability = np.where(ball(radius, (22, 22, 20)), np.float32(0.95), np.float32(0.02))
    found = steepest_outline(image_of(tumour, BRAIN), BRAIN, probability, 1.6, MM)
    assert found is not None
    assert dice(found.piece, tumour) > max(at_least, dice(probability > 0.5, tumour) - 0.07)
    assert found.steepness > 0.1


def test_the_level_is_one_of_those_and_the_piece_lies_above_it():
    tumour = ball(7)
    found = steepest_outline(image_of(tumour, BRAIN), BRAIN, tumour.astype(np.float32), 2.0, MM)
    assert round(found.level * 10) == pytest.approx(found.level * 10)
    assert -0.2 <= found.level <= 2.5
    assert (found.smooth[found.piece] > found.level).all()


def test_the_brains_rim_is_no_edge_of_a_tumour():
    # A tumour at the surface: beyond the brain lies 0, which is a step as high as its own.
    tumour = ball(8, (32, 22, 20)) & BRAIN
    found = steepest_outline(image_of(tumour, BRAIN), BRAIN, tumour.astype(np.float32), 1.6, MM)
    assert dice(found.piece, tumour) > 0.9


def test_what_hangs_on_by_a_thread_and_is_improbable_is_cut():
    tumour, other = ball(6, (14, 22, 20)), ball(4, (27, 22, 20))
    bridge = np.zeros(SHAPE, bool)
    bridge[14:27, 22, 20] = True
    image = np.where(BRAIN, 3.0 * (tumour | other | bridge), 0).astype(np.float32)
    probability = np.where(tumour, np.float32(0.95), np.float32(0.05))
    found = steepest_outline(image, BRAIN, probability, 0.5, MM)
    assert (found.piece & other).sum() < 0.1 * other.sum()
    assert dice(found.piece, tumour) > 0.85
    both = steepest_outline(image, BRAIN, np.where(tumour | other, np.float32(0.95), np.float32(0.05)), 0.5, MM)
    assert (both.piece & other).sum() > 0.9 * other.sum()


def test_no_outline_where_nothing_is_bright_or_too_much_of_the_brain_is():
    nothing = np.where(BRAIN, np.float32(-1), np.float32(0))
    assert steepest_outline(nothing, BRAIN, ball(5).astype(np.float32), 1.6, MM) is None
    everything = np.where(BRAIN, np.float32(4), np.float32(0))
    assert steepest_outline(everything, BRAIN, BRAIN.astype(np.float32), 1.6, MM) is None


def test_a_faint_probability_still_names_a_place():
    tumour = ball(6)
    found = steepest_outline(image_of(tumour, BRAIN), BRAIN, 0.6 * tumour.astype(np.float32), 1.6, MM)
    assert dice(found.piece, tumour) > 0.9


def test_the_majority_on_a_finer_grid_is_finer_than_the_working_voxels():
    radius, centre = 18.0, np.array([50.0, 55.0, 50.0])
    fine = sum((axis + 0.5 - c) ** 2 for axis, c in zip(np.indices((100, 110, 100)), centre, strict=True)) < radius**2
    coarse = resample_to_shape(fine.astype(np.float32), SHAPE)
    brain = np.ones(SHAPE, bool)
    found = [steepest_outline(2 * coarse, brain, coarse, sigma, MM) for sigma in (1.2, 1.6, 2.0)]
    mask = on_grid(found, brain, np.ones(fine.shape, bool), MM)
    assert mask.shape == fine.shape
    # A working voxel is 2.5 fine ones, so nearest neighbours alone would lose more.
    assert dice(mask, fine) > 0.94
    two = on_grid([found[0], found[0], found[2]], brain, np.ones(fine.shape, bool), MM)
    np.testing.assert_array_equal(two, on_grid([found[0]], brain, np.ones(fine.shape, bool), MM))


def test_a_majority_of_none_is_refused():
    with pytest.raises(ValueError, match="at least one outline"):
        on_grid([], BRAIN, BRAIN, MM)


def test_a_single_slice_has_an_outline_too():
    tumour, brain = ball(7)[:, :, 20:21], BRAIN[:, :, 20:21]
    image = np.where(brain, 3 * gaussian_filter(tumour.astype(float), (0.7, 0.7, 0)), 0).astype(np.float32)
    found = steepest_outline(image, brain, tumour.astype(np.float32), 1.2, MM)
    assert found is None or dice(found.piece, tumour) > 0.5
