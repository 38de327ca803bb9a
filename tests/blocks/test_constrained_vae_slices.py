"""Slices as constrained VAEs see them: grey values, place, erosion, matching; training and test see the same."""

import numpy as np
import pytest
from pydantic import ValidationError

from unseg_bench.blocks.constrained_vae.options import SliceOptions
from unseg_bench.blocks.constrained_vae.slices import (
    draw_pictures,
    eroded,
    frame_of,
    gather_pictures,
    learned_slices,
    match_all,
    match_histogram,
)
from unseg_bench.blocks.slices import to_pictures
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact
from unseg_bench.plugins.trial import make_volume, tiny_case, tiny_cohort

SMALL = SliceOptions(size=64, erosion_px=2)
CASES = [
    tiny_case("a", 1, tumour=False),
    tiny_case("b", 2, tumour=False, shape=(40, 23, 11), spacing_mm=(3.0, 5.0, 9.0)),
]


def all_normal(folder, cases=CASES):
    for case in cases:
        np.save(folder / f"{case.volume.case_id}.npy", np.ones(case.volume.shape[2], bool))
    return Artifact("normal-slices", folder, "digest")


def test_quantiles_of_the_brain_become_black_and_white():
    volume = CASES[0].volume
    options = SliceOptions(size=64, field_mm=64 * 4.0, low=0.1, high=0.9)
    picture = draw_pictures(volume, np.array([14]), options)[0][frame_of(volume, options).place]
    low, high = np.quantile(volume.image[volume.brain], [0.1, 0.9])
    grey = np.clip((volume.image[:, :, 14].T - low) / (high - low), 0, 1)
    brain = volume.brain[:, :, 14].T
    np.testing.assert_array_equal(picture[brain], np.clip(np.rint(255 * grey), 1, 255)[brain])
    assert not picture[~brain].any()


def test_unit_and_zero_of_the_image_do_not_matter():
    volume = CASES[0].volume
    image = np.where(volume.brain, 3 * volume.image + 7, 0).astype(np.float32)
    other = make_volume("a", image, volume.brain.copy())
    slices = np.arange(8, 20)
    difference = draw_pictures(volume, slices, SMALL).astype(int) - draw_pictures(other, slices, SMALL)
    assert np.abs(difference).max() <= 1


def test_one_bright_voxel_changes_nothing():
    volume = CASES[0].volume
    image = volume.image.copy()
    image[15, 18, 14] = 1000.0
    other = make_volume("a", image, volume.brain.copy())
    slices = np.array([5, 6, 7])
    difference = draw_pictures(volume, slices, SMALL).astype(int) - draw_pictures(other, slices, SMALL)
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("case", CASES)
def test_place_keeps_millimetres_and_comes_back(case):
    frame = frame_of(case.volume, SliceOptions())
    inside = to_pictures(case.volume.brain)[[5, 6]].astype(np.float32)
    square = frame.into(inside)
    assert square.shape == (2, 224, 224)
    area = inside.sum() * case.volume.spacing_mm[0] * case.volume.spacing_mm[1]
    assert square.sum() * (240 / 224) ** 2 == pytest.approx(area, rel=0.02)
    rows, columns = np.nonzero(square[0] > 0.5)
    assert [rows.mean(), columns.mean()] == pytest.approx([111.5, 111.5], abs=2)
    back = frame.back(square)
    assert back.shape == inside.shape
    assert np.mean((back > 0.5) != (inside > 0.5)) < 0.02


def test_too_small_a_field_is_refused():
    with pytest.raises(RunError, match=r"case a is 124 x 148 mm.*slices.field_mm = 120.*148 or more"):
        frame_of(CASES[0].volume, SliceOptions(field_mm=120))


def test_erosion_by_six_pixels():
    square = np.zeros((2, 32, 32), bool)
    square[0, 4:14, 6:26] = True
    square[1, 10:15, 10:15] = True
    left = eroded(square, 6)
    assert left.sum(axis=(1, 2)).tolist() == [5 * 15, 0]
    assert eroded(square[0], 6).sum() == 5 * 15


def test_middle_slices():
    volume, normal = CASES[0].volume, np.ones(29, bool)
    everywhere = learned_slices(volume, normal, SMALL)
    height = np.flatnonzero(volume.brain.any(axis=(0, 1)))
    middle = learned_slices(volume, normal, SliceOptions(middle=10))
    assert len(middle) == 10
    assert abs((middle[0] + middle[-1]) - (height[0] + height[-1])) <= 1
    normal[middle[3:]] = False
    assert learned_slices(volume, normal, SliceOptions(middle=10)).tolist() == middle[:3].tolist()
    assert set(middle) < set(everywhere)


def test_matching_gives_the_reference_its_own_values_back():
    rng = np.random.default_rng(0)
    reference = np.zeros((40, 40), np.uint8)
    reference[10:30, 8:32] = rng.integers(60, 120, (20, 24))
    np.testing.assert_array_equal(match_histogram(reference, reference), reference)
    brighter = np.where(reference > 0, reference + 90, 0).astype(np.uint8)
    np.testing.assert_array_equal(match_histogram(brighter, reference), reference)


def test_matching_to_a_cut_reference_makes_brains_brighter_and_flatter():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:240, :240]
    brain = ((rows - 120) / 80) ** 2 + ((columns - 120) / 65) ** 2 < 1
    first, second = (np.where(brain, np.clip(rng.normal(89, 18, (240, 240)), 1, 255), 0).astype(np.uint8) for _ in "ab")
    cut = SliceOptions(histogram="reference-cut-at-test")
    training, test = (match_all(first[None], second, cut, test=test)[0][brain] for test in (False, True))
    assert training.mean() == pytest.approx(89, abs=1)
    assert training.std() == pytest.approx(18, abs=1)
    assert test.mean() > 100
    assert test.std() < 14
    full = SliceOptions(histogram="reference")
    np.testing.assert_array_equal(match_all(first[None], second, full, test=True)[0][brain], training)


def test_jpeg_bleeds_out_of_the_brain():
    plain, lossy = (draw_pictures(CASES[0].volume, np.array([14]), SMALL.model_copy(update={"jpeg": on}))
                    for on in (False, True))  # fmt: skip
    assert lossy[plain == 0].any()
    assert 0 < np.abs(plain.astype(int) - lossy).mean() < 5


@pytest.mark.parametrize("histogram", ["own", "reference"])
def test_same_slice_is_the_same_picture_in_training_and_test(tmp_path, histogram):
    options = SMALL.model_copy(update={"histogram": histogram})
    learned = gather_pictures(tmp_path / "p.npy", tiny_cohort("train", CASES), all_normal(tmp_path), options)
    assert (learned.reference is None) is (histogram == "own")
    start = 0
    for case in CASES:
        slices = learned_slices(case.volume, np.ones(case.volume.shape[2], bool), options)
        again = match_all(draw_pictures(case.volume, slices, options), learned.reference, options, test=True)
        np.testing.assert_array_equal(learned.pictures[start : start + len(slices)], again)
        start += len(slices)
    assert start == len(learned.pictures)


def test_no_normal_slice_is_an_error(tmp_path):
    normal = all_normal(tmp_path)
    np.save(tmp_path / "a.npy", np.zeros(29, bool))
    with pytest.raises(RunError, match=r"none of the 1 cases.*normals.source"):
        gather_pictures(tmp_path / "p.npy", tiny_cohort("train", CASES[:1]), normal, SMALL)


def test_erosion_that_leaves_nothing_is_refused():
    with pytest.raises(ValidationError, match="erosion_px"):
        SliceOptions(size=32, erosion_px=32)
