"""SaLIP's steps one by one: pictures, filters, crops, scores and the rules of choice, by hand and against others."""

from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
from scipy.special import softmax
from unseg_bench_methods.salip.crops import cut_crops, keep_plausible
from unseg_bench_methods.salip.method import Salip
from unseg_bench_methods.salip.options import (
    BACKGROUND_CAPTIONS,
    TUMOUR_CAPTIONS,
    ChoiceOptions,
    CropOptions,
    FilterOptions,
    PictureOptions,
    SalipOptions,
    SearchOptions,
)
from unseg_bench_methods.salip.pictures import SlicePicture, chosen_slices, draw_slices, picture_size, spread_out
from unseg_bench_methods.salip.pipeline import Scores, choose, score
from unseg_bench_methods.salip.presets import DEMO

from unseg_bench.blocks.prompts import bounding_box
from unseg_bench.data.supervision import Supervision
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.trial import make_volume, tiny_case


@pytest.mark.parametrize("preset", Salip.presets)
def test_what_a_preset_does_not_name_keeps_salips_own_defaults(preset):
    options = preset_options(Salip, preset)
    assert (options.everything.crop_n_layers, options.everything.crop_n_points_downscale_factor) == (1, 2)
    assert options.sam.model == ("miniature" if preset in ("demo", "check") else "vit_h")
    assert SalipOptions.model_validate({"sam": {"scaling": "volume"}}).sam.model == "vit_h"


def proposal(shape, rows, columns):
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return SimpleNamespace(mask=mask, box=bounding_box(mask) if mask.any() else (0, 0, 0, 0))


@pytest.mark.parametrize("group", [TUMOUR_CAPTIONS, BACKGROUND_CAPTIONS])
def test_captions_are_six_to_eight_and_clip_reads_them_whole(group):
    tokenizer = open_clip.SimpleTokenizer()
    assert 6 <= len(set(group)) == len(group) <= 8
    assert max(len(tokenizer.encode(caption)) + 2 for caption in group) <= 77


def test_the_demos_captions_have_words_that_the_miniature_knows():
    from unseg_bench.blocks.miniature.architecture import settings

    known = {word for kind in settings()["clip"]["captions"].values() for text in kind for word in text.split()}
    own = (*DEMO["clip"]["tumour_captions"], *DEMO["clip"]["background_captions"])
    assert {word for text in own for word in text.split()} <= known


def test_slices_are_chosen_by_their_brain_area():
    brain = np.zeros((10, 10, 4), bool)
    brain[:, :, 1] = True
    brain[:3, :5, 2] = True
    brain[:4, :5, 3] = True
    assert chosen_slices(brain, PictureOptions()).tolist() == [1, 3]
    assert chosen_slices(np.zeros((3, 3, 3), bool), PictureOptions()).tolist() == []


@pytest.mark.parametrize(
    ("count", "every", "looked_at", "nearest"),
    [
        (4, 1, [10, 11, 12, 13], [10, 11, 12, 13]),
        (7, 3, [11, 14], [11, 11, 11, 14, 14, 14, 14]),
        (6, 4, [12], [12] * 6),
        (2, 9, [11], [11, 11]),
        (0, 3, [], []),
    ],
)
def test_slices_between_take_after_the_nearest(count, every, looked_at, nearest):
    seen, places = spread_out(np.arange(10, 10 + count), every)
    assert seen.tolist() == looked_at
    assert seen[places].tolist() == nearest


def test_pictures_are_enlarged_and_masks_come_back():
    volume = tiny_case("case", 1, shape=(31, 37, 29)).volume
    (one,) = draw_slices(volume, np.array([14]), SalipOptions())
    assert picture_size((37, 31), 256) == (256, 214) == one.picture.shape == one.brain.shape == one.z.shape
    assert picture_size((37, 31), None) == (37, 31)
    np.testing.assert_array_equal(one.to_slice(one.brain), volume.brain[:, :, 14].T)
    assert one.picture[one.brain].min() < 5 < 250 < one.picture.max()
    np.testing.assert_allclose(
        one.z[one.brain].mean(), volume.image[:, :, 14][volume.brain[:, :, 14]].mean(), atol=0.05
    )


def test_slices_as_they_are_when_asked():
    volume = tiny_case("case", 1).volume
    options = SalipOptions.model_validate({"pictures": {"long_side_px": None, "clip_quantile": 1.0}})
    (one,) = draw_slices(volume, np.array([14]), options)
    np.testing.assert_array_equal(one.z, volume.image[:, :, 14].T)
    np.testing.assert_array_equal(one.to_slice(one.brain), one.brain)


def test_a_spike_does_not_darken_the_rest():
    image = np.linspace(-1, 1, 1000, dtype=np.float32).reshape(10, 10, 10).copy()
    brain = np.ones(image.shape, bool)
    image[5, 5, 5] = 100
    options = SalipOptions.model_validate({"pictures": {"long_side_px": None, "clip_quantile": 0.99}})
    volume = make_volume("spike", image, brain)
    (clipped,) = draw_slices(volume, np.array([5]), options)
    (spiked,) = draw_slices(volume, np.array([5]), SalipOptions.model_validate({"pictures": {"clip_quantile": 1.0}}))
    assert np.median(clipped.picture) > 100 > 10 > np.median(spiked.picture)


def slice_of(brain, z=None):
    z = np.zeros(brain.shape, np.float32) if z is None else z
    return SlicePicture(0, np.zeros(brain.shape, np.uint8), brain, z, brain.shape)


@pytest.mark.parametrize(
    ("rows", "columns", "kept"),
    [
        (slice(0, 0), slice(0, 0), False),  # empty
        (slice(40, 42), slice(40, 41), False),  # 2 of 1000 pixels
        (slice(40, 45), slice(40, 41), True),  # 5 of 1000: the smallest
        (slice(30, 65), slice(40, 50), True),  # 350: the largest
        (slice(30, 66), slice(40, 50), False),  # 360
        (slice(30, 60), slice(31, 41), False),  # one pixel in ten inside the brain
        (slice(30, 60), slice(35, 45), True),  # half of it inside
    ],
)
def test_masks_are_dropped_by_area_and_place(rows, columns, kept):
    brain = np.zeros((100, 100), bool)
    brain[:, 40:50] = True
    found = keep_plausible([proposal(brain.shape, rows, columns)], slice_of(brain), FilterOptions())
    assert len(found) == kept


def test_the_brain_itself_is_dropped_whatever_its_area():
    brain = np.zeros((20, 20), bool)
    brain[5:15, 5:15] = True
    whole = proposal(brain.shape, slice(5, 15), slice(5, 15))
    most = proposal(brain.shape, slice(5, 14), slice(5, 15))
    options = FilterOptions(max_area=2.0)
    assert keep_plausible([whole, most], slice_of(brain), options) == [most]


def test_the_published_bound_is_a_share_of_the_picture():
    brain = np.ones((10, 20), bool)
    below = proposal(brain.shape, slice(0, 10), slice(0, 9))
    at = proposal(brain.shape, slice(0, 10), slice(0, 10))
    options = FilterOptions(max_area=9, max_cover=9, max_picture_share=0.5)
    assert keep_plausible([at, below], slice_of(brain), options) == [below]
    assert keep_plausible([at, below], slice_of(brain), FilterOptions(max_area=9, max_cover=9)) == [at, below]


def test_the_papers_preset_is_the_papers_and_ours_has_a_name_of_its_own():
    paper, code, ours = (preset_options(Salip, name) for name in ("paper", "reference-code", "flair"))
    assert ours == SalipOptions()
    for published in (paper, code):
        assert (published.choice.rule, published.choice.k, published.filters.min_z) == ("top-k", 1, None)
        # No mask is dropped but by the published bound: not for its place, nor for being small.
        assert (published.filters.min_area, published.filters.min_inside) == (0, 0)
        assert published.filters.max_cover >= 1
        assert published.filters.max_area > 100
        assert published.pictures.min_brain_share == 0
        assert published.component == "all"
    assert paper.filters.max_picture_share in [bound / 256**2 for bound in (20_000, 40_000, 50_000)]
    assert code.filters.max_picture_share is None
    assert Salip(paper).supervision is Supervision.NONE
    assert paper.everything.pred_iou_thresh in SearchOptions().pred_iou_thresh
    assert paper.everything.points_per_side in SearchOptions().points_per_side


def test_the_intensity_gate_is_off_until_it_is_named():
    brain = np.ones((20, 20), bool)
    z = np.zeros(brain.shape, np.float32)
    z[:10, :5] = 1.5
    bright, dark = (proposal(brain.shape, slice(at, at + 8), slice(0, 4)) for at in (0, 10))
    assert keep_plausible([dark, bright], slice_of(brain, z), FilterOptions()) == [dark, bright]
    assert keep_plausible([dark, bright], slice_of(brain, z), FilterOptions(min_z=1.0)) == [bright]


PICTURE = np.arange(1, 121, dtype=np.uint8).reshape(10, 12)


def crops_of(*proposals, **options):
    return cut_crops(PICTURE, list(proposals), CropOptions.model_validate(options))


def test_a_crop_is_the_masks_tight_box_and_black_elsewhere():
    one = proposal(PICTURE.shape, slice(2, 5), slice(3, 6))
    one.mask[2, 3] = False
    _, (crop,) = crops_of(one)
    expected = PICTURE[2:5, 3:6].copy()
    expected[0, 0] = 0
    np.testing.assert_array_equal(crop, expected)


def test_oblong_crops_lose_their_ends_or_are_padded_with_black():
    one = proposal(PICTURE.shape, slice(2, 4), slice(3, 9))
    np.testing.assert_array_equal(crops_of(one)[1][0], PICTURE[2:4, 5:7])
    (padded,) = crops_of(one, fit="pad")[1]
    assert padded.shape == (6, 6)
    np.testing.assert_array_equal(padded[2:4], PICTURE[2:4, 3:9])
    assert not padded[:2].any()
    assert not padded[4:].any()


def test_other_crops():
    one = proposal(PICTURE.shape, slice(2, 4), slice(3, 9))
    np.testing.assert_array_equal(crops_of(one, mode="box", margin_px=1, fit="pad")[1][0][2:6], PICTURE[1:5, 2:10])
    (dimmed,) = crops_of(one, mode="dimmed", fit="pad")[1]
    np.testing.assert_array_equal(dimmed[3:5, 3:9], PICTURE[2:4, 3:9])
    assert dimmed[1, 0] == PICTURE[0, 0] // 2


def test_boxes_without_a_size_are_taken_out_and_the_rest_stays_in_step():
    wide = proposal(PICTURE.shape, slice(2, 6), slice(3, 7))
    thin = proposal(PICTURE.shape, slice(2, 6), slice(3, 4))
    nothing = proposal(PICTURE.shape, slice(0, 0), slice(0, 0))
    other = proposal(PICTURE.shape, slice(5, 8), slice(8, 11))
    kept, crops = crops_of(thin, wide, nothing, thin, other, last_row=False)
    assert kept == [wide, other]
    assert [crop.shape for crop in crops] == [(3, 3), (2, 2)]
    assert [len(part) for part in crops_of(thin, wide, nothing, other)] == [3, 3]
    assert crops_of() == ([], [])


def test_probabilities_are_a_softmax_over_both_classes():
    cosines = np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(np.float32)
    scores = score(cosines, 17.0)
    np.testing.assert_allclose(scores.probability, softmax(17.0 * cosines, axis=1)[:, 0], atol=1e-6)
    np.testing.assert_array_equal(scores.cosine, cosines[:, 0])
    assert score(np.array([[-1, 1], [1, -1]], np.float32), 100.0).probability.tolist() == pytest.approx([0, 1])


SCORES = Scores(np.array([0.2, 0.3, 0.1, 0.25], np.float32), np.array([0.9, 0.4, 0.8, 0.6], np.float32))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"rule": "top-k"}, [1]),
        ({"rule": "top-k", "k": 2}, [1, 3]),
        ({"rule": "top-k", "k": 9}, [1, 3, 0, 2]),
        ({"rule": "class-softmax"}, [3]),
        ({"rule": "class-softmax", "k": 2}, [3, 0]),
        ({"rule": "class-softmax", "min_probability": 0.7}, [0]),
        ({"rule": "class-softmax", "min_probability": 0.95}, []),
        ({"rule": "k-sigma"}, [1, 3]),  # 0.3 - 0.0740
        ({"rule": "k-sigma", "sigmas": 0.0}, [1]),
        ({"rule": "k-sigma", "sigmas": 2.0}, [1, 3, 0]),
    ],
)
def test_rules_of_choice(options, kept):
    assert choose(SCORES, ChoiceOptions.model_validate(options)).tolist() == kept


@pytest.mark.parametrize("rule", ["top-k", "class-softmax", "k-sigma"])
def test_no_crop_no_choice_and_one_crop_is_no_division_by_zero(rule):
    nothing = score(np.zeros((0, 2), np.float32), 100.0)
    assert choose(nothing, ChoiceOptions(rule=rule)).tolist() == []
    assert choose(score(np.array([[0.3, 0.1]], np.float32), 100.0), ChoiceOptions(rule=rule)).tolist() == [0]


def test_a_crop_that_is_background_is_never_taken_by_the_default():
    background = score(np.array([[0.3, 0.4], [0.2, 0.21]], np.float32), 100.0)
    assert choose(background, ChoiceOptions()).tolist() == []
    assert choose(background, ChoiceOptions(rule="top-k")).tolist() == [0]
