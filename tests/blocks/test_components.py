"""Clean-up of masks, against scipy on the whole array and against counts made by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from unseg_bench.blocks.components import (
    bounding_box,
    fill_holes,
    keep_components,
    largest_component,
    opening,
    surest_component,
)


def blocks(*sizes):
    mask = np.zeros((40, 12, 12), dtype=bool)
    for number, size in enumerate(sizes):
        mask[8 * number + 2 : 8 * number + 2 + size, 4 : 4 + size, 4 : 4 + size] = True
    return mask


def noise(seed, share):
    return np.random.default_rng(seed).random((9, 11, 7)) < share


def test_largest_component_keeps_one():
    assert largest_component(blocks(2, 4, 3)).sum() == 64


def test_components_that_touch_by_a_corner_are_one_for_26_only():
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[:2, :2, :2] = mask[2:, 2:, 2:] = True
    assert largest_component(mask, 26).sum() == 16
    assert largest_component(mask, 18).sum() == 8
    edge = np.zeros((4, 4, 4), dtype=bool)
    edge[:2, :2] = edge[2:, 2:] = True
    assert largest_component(edge, 18).sum() == 32
    assert largest_component(edge, 6).sum() == 16


def test_components_of_a_third_of_the_largest_stay():
    mask = blocks(3, 2)
    assert keep_components(mask, 8 / 27).sum() == 27 + 8
    assert keep_components(mask, 8.1 / 27).sum() == 27
    assert keep_components(mask).sum() == 27


@pytest.mark.parametrize("clean", [largest_component, keep_components, opening, fill_holes])
def test_empty_stays_empty_and_input_stays_as_it_was(clean):
    empty = np.zeros((3, 4, 5), dtype=bool)
    result = clean(empty)
    assert result.shape == (3, 4, 5)
    assert result.dtype == bool
    assert not result.any()
    mask = noise(1, 0.5)
    before = mask.copy()
    clean(mask)
    assert np.array_equal(mask, before)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.02, 0.2, 0.5, 0.9]))
def test_same_as_scipy_on_the_whole_array(seed, share):
    mask = noise(seed, share)
    assert np.array_equal(opening(mask, 6), ndimage.binary_opening(mask))
    full = np.ones((3, 3, 3))
    assert np.array_equal(opening(mask, 26, 2), ndimage.binary_opening(mask, full, 2))
    assert np.array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))
    labels, count = ndimage.label(mask, full)
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    assert np.array_equal(largest_component(mask), labels == 1 + np.argmax(sizes) if count else mask)


def test_bounding_box():
    mask = np.zeros((5, 6, 7), dtype=bool)
    assert bounding_box(mask) is None
    mask[1, 2, 3] = mask[3, 2, 6] = True
    assert bounding_box(mask) == (slice(1, 4), slice(2, 3), slice(3, 7))
    assert bounding_box(mask, margin=2) == (slice(0, 5), slice(0, 5), slice(1, 7))


def test_surest_component_prefers_a_small_sure_one_to_a_large_hesitant_one():
    mask = np.zeros((12, 12, 12), dtype=bool)
    probability = np.zeros(mask.shape, dtype=np.float32)
    mask[:6, :6, :6], probability[:6, :6, :6] = True, 0.55
    mask[8:11, 8:11, 8:11], probability[8:11, 8:11, 8:11] = True, 0.95
    assert surest_component(mask, probability).sum() == 27
    assert largest_component(mask).sum() == 216
    assert not surest_component(np.zeros_like(mask), probability).any()
