"""Resampling: shapes fit, constants and ramps survive, shrinking averages, against torch's interpolation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unseg_bench.blocks.resample import mask_to_shape, resample, resample_mask, resample_to_shape, shape_at

SHAPES = st.tuples(*[st.integers(1, 13)] * 3)
MODES = st.sampled_from(["linear", "nearest"])


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, target=SHAPES, mode=MODES, seed=st.integers(0, 1000))
def test_shape_type_range_and_constants(shape, target, mode, seed):
    image = noise(shape, seed)
    before = image.copy()
    there = resample_to_shape(image, target, mode)
    back = resample_to_shape(there, shape, mode)
    assert (there.shape, back.shape) == (target, shape)
    assert there.dtype == np.float32
    assert there.min() >= image.min() - 1e-5
    assert there.max() <= image.max() + 1e-5
    assert np.array_equal(image, before)
    assert np.allclose(resample_to_shape(np.full(shape, 2.5, np.float32), target, mode), 2.5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, target=SHAPES, seed=st.integers(0, 1000))
def test_shrinking_keeps_the_mean(shape, target, seed):
    smaller = tuple(min(a, b) for a, b in zip(shape, target, strict=True))
    image = noise(shape, seed)
    assert resample_to_shape(image, smaller).mean() == pytest.approx(image.mean(), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, extra=SHAPES)
def test_growing_is_torchs_trilinear(shape, extra):
    target = tuple(a + b for a, b in zip(shape, extra, strict=True))
    image = noise(shape)
    batch = torch.from_numpy(image)[None, None]
    expected = torch.nn.functional.interpolate(batch, target, mode="trilinear", align_corners=False)[0, 0]
    assert np.allclose(resample_to_shape(image, target), expected.numpy(), atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, target=SHAPES)
def test_nearest_is_torchs(shape, target):
    image = noise(shape)
    expected = torch.nn.functional.interpolate(torch.from_numpy(image)[None, None], target, mode="nearest-exact")[0, 0]
    assert np.array_equal(resample_to_shape(image, target, "nearest"), expected.numpy())


def test_whole_factors_are_block_means():
    image = noise((6, 8, 9))
    expected = image.reshape(3, 2, 4, 2, 3, 3).mean(axis=(1, 3, 5))
    assert np.allclose(resample(image, (1.0, 1.0, 1.0), (2.0, 2.0, 3.0)), expected, atol=1e-6)


def test_spacing_decides_the_shape():
    assert shape_at((240, 240, 155), (1.0, 1.0, 1.0), (2.0, 2.0, 2.0)) == (120, 120, 78)
    assert shape_at((100, 100, 20), (0.9, 0.9, 6.0), (3.0, 3.0, 3.0)) == (30, 30, 40)
    assert shape_at((1, 1, 1), (1.0, 1.0, 1.0), (9.0, 9.0, 9.0)) == (1, 1, 1)


def test_equal_shape_is_a_copy():
    image = noise((3, 4, 5))
    same = resample_to_shape(image, (3, 4, 5))
    assert np.array_equal(same, image)
    same[0, 0, 0] = 9
    assert image[0, 0, 0] != 9


@settings(max_examples=30, deadline=None)
@given(centre=st.tuples(*[st.integers(12, 20)] * 3), radius=st.integers(7, 11))
def test_a_ball_survives_the_way_to_another_grid_and_back(centre, radius):
    grid = np.ogrid[:32, :32, :32]
    ball = sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)) <= radius**2
    there = resample_mask(ball, (1.0, 1.0, 1.0), (1.5, 1.5, 2.0))
    back = mask_to_shape(there, ball.shape)
    assert there.dtype == back.dtype == bool
    assert 2 * (ball & back).sum() / (ball.sum() + back.sum()) > 0.88
    assert there.sum() * 4.5 == pytest.approx(ball.sum(), rel=0.15)
