"""Intensities measured by a chosen tissue, by hand and against scipy."""

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from unseg_bench.blocks.tissue import robust_scores, standardise_by


def random_head(seed=0):
    rng = np.random.default_rng(seed)
    brain = rng.random((9, 8, 7)) > 0.3
    return np.where(brain, rng.gamma(2, 2, brain.shape), 0).astype(np.float32), brain


def test_robust_scores_are_scipys():
    image, brain = random_head()
    inside = image[brain]
    expected = (inside - np.median(inside)) / median_abs_deviation(inside)
    np.testing.assert_allclose(robust_scores(image, brain)[brain], expected, rtol=1e-5)
    assert not robust_scores(image, brain)[~brain].any()


def test_the_tissue_has_mean_0_and_deviation_1_after_cutting_at_percentiles_of_the_brain():
    image, brain = random_head()
    tissue = brain & (image < np.median(image[brain]))
    found = standardise_by(image, brain, tissue, (5, 95))
    cut = np.clip(image, *np.percentile(image[brain], (5, 95)))
    np.testing.assert_allclose(
        found[brain], (cut[brain] - cut[tissue].mean()) / cut[tissue].std(), rtol=1e-4, atol=1e-5
    )
    assert found[tissue].mean() == pytest.approx(0, abs=1e-5)
    assert not found[~brain].any()


def test_a_tumour_does_not_drown_itself():
    image, brain = random_head()
    brighter = image.copy()
    brighter[:4][brain[:4]] += 30
    tissue = brain.copy()
    tissue[:4] = False
    whole, outside = standardise_by(brighter, brain, brain), standardise_by(brighter, brain, tissue)
    assert outside[:4][brain[:4]].mean() > 3 * whole[:4][brain[:4]].mean()


def test_no_tissue_means_the_whole_brain_and_no_brain_means_zero():
    image, brain = random_head()
    nothing = np.zeros_like(brain)
    np.testing.assert_array_equal(standardise_by(image, brain, nothing), standardise_by(image, brain, brain))
    assert not standardise_by(image, nothing, nothing).any()
    assert not robust_scores(image, nothing).any()
    flat = np.where(brain, np.float32(3), np.float32(0))
    assert not standardise_by(flat, brain, brain).any()
    assert not robust_scores(flat, brain).any()
