"""Every distance against a library that we did not write, on small, odd and anisotropic masks."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medpy.metric import binary
from surface_distance import metrics as surface_distance

from unseg_bench.score import distances
from unseg_bench.score.case import score_case
from unseg_bench.score.surfels import surfel_areas

SPACINGS = [(1.0, 1.0, 1.0), (0.9375, 0.9375, 3.3), (2.0, 1.0, 1.0), (1.0, 3.0, 0.5)]


@pytest.fixture(scope="module", autouse=True)
def _scipy_1_names():
    """surface-distance calls scipy by names that warn or are gone; lend it the present ones."""
    from scipy import ndimage

    class OldNames:
        filters = ndimage
        morphology = ndimage

    kept = surface_distance.ndimage
    surface_distance.ndimage = OldNames
    yield
    surface_distance.ndimage = kept


@st.composite
def mask_pairs(draw):
    """Two masks that are not empty: sparse points, dense noise, or boxes; of any shape, order and spacing."""
    shape = draw(st.tuples(*[st.integers(1, 13)] * 2, st.integers(1, 40)).flatmap(st.permutations))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = []
    for density in draw(st.tuples(*[st.sampled_from([0.0, 0.01, 0.2, 0.8, 1.0])] * 2)):
        mask = rng.random(shape) < density
        if not mask.any():
            mask.flat[rng.integers(mask.size)] = True
        masks.append(np.asarray(mask, order=draw(st.sampled_from("CF"))))
    return masks[0], masks[1], draw(st.sampled_from(SPACINGS))


@settings(max_examples=120, deadline=None, derandomize=True)
@given(mask_pairs())
def test_all_that_medpy_has_too(pair):
    prediction, reference, spacing_mm = pair
    score = score_case(prediction, reference, spacing_mm)
    expected = binary.hd95(prediction, reference, voxelspacing=spacing_mm, connectivity=1)
    assert score.hd95_mm == pytest.approx(expected, abs=1e-9)
    assert score.values["hd_max_mm"] == pytest.approx(
        binary.hd(prediction, reference, spacing_mm, connectivity=1), abs=1e-9
    )
    assert score.dsc == pytest.approx(binary.dc(prediction, reference), abs=1e-12)
    assert score.values["precision"] == pytest.approx(binary.precision(prediction, reference), abs=1e-12)
    assert score.values["recall"] == pytest.approx(binary.recall(prediction, reference), abs=1e-12)
    assert score.tumour_ml == pytest.approx(reference.sum() * np.prod(spacing_mm) / 1000, abs=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(mask_pairs())
def test_surface_dsc_is_surface_distances(pair):
    prediction, reference, spacing_mm = pair
    expected = surface_distance.compute_surface_distances(reference, prediction, spacing_mm)
    cut = distances.crop_pair(prediction, reference, spacing_mm)
    for tolerance_mm in (0.0, 0.7, 2.5, 40.1):
        dice = surface_distance.compute_surface_dice_at_tolerance(expected, tolerance_mm)
        assert distances.surface_dsc(cut, tolerance_mm) == pytest.approx(dice, abs=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(mask_pairs())
def test_max_directed_is_the_larger_of_two_percentiles(pair):
    prediction, reference, spacing_mm = pair
    directed = functools.partial(binary.__dict__["__surface_distances"], voxelspacing=spacing_mm, connectivity=1)
    expected = max(np.percentile(directed(*order), 95) for order in ((prediction, reference), (reference, prediction)))
    score = score_case(prediction, reference, spacing_mm)
    assert score.values["hd95_max_directed_mm"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_areas_of_all_256_neighbourhoods(spacing_mm):
    from surface_distance.lookup_tables import create_table_neighbour_code_to_surface_area

    np.testing.assert_allclose(surfel_areas(spacing_mm), create_table_neighbour_code_to_surface_area(spacing_mm))


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_far_voxels_beyond_the_ring_search(spacing_mm):
    rng = np.random.default_rng(3)
    prediction = rng.random((50, 41, 37)) < 0.002
    reference = np.zeros_like(prediction)
    reference[2:5, 3:7, 1:4] = reference[45, 40, 36] = True
    for one, other in ((prediction, reference), (reference, prediction)):
        expected = binary.hd95(one, other, voxelspacing=spacing_mm)
        assert score_case(one, other, spacing_mm).hd95_mm == pytest.approx(expected, abs=1e-9)


def test_masks_of_two_memory_orders_score_the_same():
    rng = np.random.default_rng(4)
    prediction, reference = rng.random((2, 9, 14, 11)) < 0.3
    plain = score_case(prediction, reference, (1.0, 2.0, 3.0))
    mixed = score_case(np.asfortranarray(prediction), reference, (1.0, 2.0, 3.0))
    sliced = score_case(np.repeat(prediction, 2, axis=1)[:, ::2], np.asfortranarray(reference), (1.0, 2.0, 3.0))
    assert plain == mixed == sliced
