"""Augmentation: drawn by the generator alone, inside the brain only, image and label deformed alike, as in SciPy."""

import numpy as np
import pytest
from scipy import ndimage

from unseg_bench.blocks import augmentation
from unseg_bench.blocks.augmentation import deform, draw_deformation, reach_of, vary_lightly, vary_strongly
from unseg_bench.blocks.patches import PatchSampler, cut
from unseg_bench.blocks.working_cases import LabelledCase


def make_case(shape=(30, 26, 28)):
    grid = np.indices(shape).astype(float)
    distance = sum((axis - n / 2 + 0.5) ** 2 for axis, n in zip(grid, shape, strict=True)) ** 0.5
    brain = distance < 11
    label = np.zeros(shape, dtype=bool)
    label[10:16, 8:13, 12:20] = True
    image = np.where(brain, ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), 2) * 5 + 3 * label, 0)
    return LabelledCase(image.astype(np.float32), label & brain, brain, (1.0, 1.0, 1.0))


@pytest.mark.parametrize("vary", [vary_lightly, vary_strongly])
def test_intensities_vary_inside_the_brain_only(vary):
    case = make_case()
    before = case.image.copy()
    varied = [vary(case.image, case.brain, np.random.default_rng(seed)) for seed in range(30)]
    again = [vary(case.image, case.brain, np.random.default_rng(seed)) for seed in range(30)]
    assert all(np.array_equal(one, two) for one, two in zip(varied, again, strict=True))
    assert all(result.dtype == np.float32 and np.isfinite(result).all() for result in varied)
    assert all((result[~case.brain] == 0).all() for result in varied)
    assert np.std([result[case.brain].std() for result in varied]) > 0.02
    assert np.array_equal(case.image, before)
    empty = np.zeros((3, 3, 3), np.float32)
    assert not vary(empty, empty > 0, np.random.default_rng(0)).any()


def test_each_strong_change_happens_as_often_as_it_says():
    case = make_case((8, 8, 8))

    def untouched(seed):
        return np.array_equal(vary_strongly(case.image, case.brain, np.random.default_rng(seed)), case.image)

    expected = 0.9 * 0.9 * 0.85 * 0.85 * 0.875 * 0.9 * 0.7
    assert np.mean([untouched(seed) for seed in range(1500)]) == pytest.approx(expected, abs=0.04)
    drawn = [draw_deformation((1.0, 1.0, 1.0), np.random.default_rng(seed)) for seed in range(1500)]
    assert np.mean([matrix is None for matrix in drawn]) == pytest.approx(0.64, abs=0.04)
    volumes = np.array([np.linalg.det(matrix) ** (1 / 3) for matrix in drawn if matrix is not None])
    assert volumes.min() > 0.7
    assert volumes.max() < 1.4
    assert np.isclose(volumes, 1).mean() == pytest.approx(0.16 / 0.36, abs=0.06)


def test_gamma_keeps_mean_and_deviation():
    case = make_case()
    for sign in (1, -1):
        varied = augmentation._gamma_of_same_moments(case.image, case.brain, 1.4, sign)
        assert varied[case.brain].mean() == pytest.approx(case.image[case.brain].mean(), abs=1e-4)
        assert varied[case.brain].std() == pytest.approx(case.image[case.brain].std(), rel=1e-4)
        assert not np.allclose(varied, case.image, atol=0.01)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (1.0, 2.0, 3.0)])
@pytest.mark.parametrize("start", [(8, 6, 7), (-3, 8, 12)])
def test_deformed_patches_are_scipys(spacing_mm, start):
    case = make_case()
    size = (12, 14, 10)
    matrix = next(
        matrix
        for seed in range(99)
        if (matrix := draw_deformation(spacing_mm, np.random.default_rng(seed))) is not None
        and np.abs(matrix - np.diag(np.diag(matrix))).max() > 0.1
    )
    low, reach = reach_of(matrix, start, size)
    seen = LabelledCase(*(cut(part, low, reach) for part in (case.image, case.label, case.brain)), spacing_mm)
    centre = np.array(start) + (np.array(size) - 1) / 2
    patch = deform(seen, matrix, centre - np.array(low), size)

    def sampled(array):
        offset = centre - matrix @ ((np.array(size) - 1) / 2)
        padded = np.pad(array.astype(float), 30)
        return ndimage.affine_transform(padded, matrix, offset + 30, size, order=1)

    brain = sampled(case.brain)
    sure = np.abs(brain - 0.5) > 1e-3
    assert np.array_equal(patch.brain[sure], (brain > 0.5)[sure])
    label = sampled(case.label)
    clear = np.abs(label - 0.5) > 1e-3
    assert np.array_equal(patch.label[clear], (label > 0.5)[clear])
    np.testing.assert_allclose(patch.image[sure], np.where(brain > 0.5, sampled(case.image), 0)[sure], atol=2e-3)
    assert patch.brain.any()


def test_nothing_turned_leaves_the_patch_as_it_is():
    case = make_case()
    size, start = (12, 14, 10), (8, 6, 7)
    low, reach = reach_of(np.eye(3), start, size)
    seen = LabelledCase(*(cut(part, low, reach) for part in (case.image, case.label, case.brain)), (1.0, 1.0, 1.0))
    patch = deform(seen, np.eye(3), np.array(start) + (np.array(size) - 1) / 2 - np.array(low), size)
    np.testing.assert_allclose(patch.image, cut(case.image, start, size), atol=1e-4)
    assert np.array_equal(patch.label, cut(case.label, start, size))


def test_strong_batches_are_a_pure_function_of_the_step():
    options = {"augmentation": "strong", "orientation": "all-mirrors", "foreground_share": 1.0}
    one, two = (PatchSampler([make_case()], (16, 16, 16), 2, 5, **options) for _ in range(2))
    later = [one(step) for step in reversed(range(6))][::-1]
    assert all((a == b).all() for step in range(6) for a, b in zip(later[step], two(step), strict=True))
    assert sum(bool(labels.any()) for _, labels in later) >= 5
