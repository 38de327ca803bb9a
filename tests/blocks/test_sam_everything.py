"""Everything mode against the package's own generator, on the miniature SAM."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import ndimage
from segment_anything import SamAutomaticMaskGenerator

from unseg_bench.blocks.sam import everything as everything_module
from unseg_bench.blocks.sam.everything import everything
from unseg_bench.blocks.sam.options import EverythingOptions
from unseg_bench.blocks.sam.segmenter import SamSegmenter

LOOSE = {"points_per_side": 8, "pred_iou_thresh": 0.3, "stability_score_thresh": 0.5}
SETTINGS = {
    "one layer": LOOSE,
    "no thresholds": {"points_per_side": 4, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0},
    "two layers": {
        **LOOSE, "crop_n_layers": 1, "crop_n_points_downscale_factor": 2, "box_nms_thresh": 0.9, "crop_nms_thresh": 0.8,
    },
    "nothing passes": {**LOOSE, "pred_iou_thresh": 5.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def miniature():
    return SamSegmenter("miniature", offline=True)


def picture(height=120, width=150):
    """Bright blobs on a texture."""
    rng = np.random.default_rng(2)
    texture = ndimage.gaussian_filter(rng.standard_normal((height, width)), 3)
    y, x = np.mgrid[:height, :width]
    for row, column, radius in ((30, 40, 14), (80, 110, 20), (85, 40, 9)):
        texture = texture + 0.5 * np.exp(-((((y - row) ** 2 + (x - column) ** 2) / radius**2) ** 2))
    return np.interp(texture, (texture.min(), texture.max()), (0, 255)).astype(np.uint8)


def by_package(segmenter, image, settings):
    generator = SamAutomaticMaskGenerator(segmenter.sam, **settings)
    return generator.generate(np.repeat(image[:, :, None], 3, axis=2))


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.mask, other["segmentation"])
        x, y, width, height = other["bbox"]
        assert one.box == (x, y, x + width, y + height)
        assert one.predicted_iou == pytest.approx(other["predicted_iou"], abs=1e-5)
        assert one.stability == pytest.approx(other["stability_score"], abs=1e-5, nan_ok=True)
        assert list(one.point) == other["point_coords"][0]
        x, y, width, height = other["crop_box"]
        assert one.crop_box == (x, y, x + width, y + height)


@pytest.mark.parametrize("name", SETTINGS)
def test_it_gives_what_the_package_gives(miniature, name):
    image = picture()
    expected = by_package(miniature, image, SETTINGS[name])
    assert (len(expected) > 2) == (name != "nothing passes")
    found = everything(miniature, image, EverythingOptions(**SETTINGS[name], edge_tolerance_px=20))
    assert_same(found, expected)


def test_small_regions_are_removed_as_by_the_package(miniature):
    pytest.importorskip("cv2")
    settings = {**SETTINGS["two layers"], "min_mask_region_area": 60}
    image = picture()
    expected = by_package(miniature, image, settings)
    before = everything(miniature, image, EverythingOptions(**SETTINGS["two layers"], edge_tolerance_px=20))
    kept = {one.mask.tobytes() for one in before}
    assert any(one["segmentation"].copy().tobytes() not in kept for one in expected)
    assert_same(everything(miniature, image, EverythingOptions(**settings, edge_tolerance_px=20)), expected)


def test_an_embedding_that_is_there_is_used(miniature, monkeypatch):
    image, options = picture(), EverythingOptions(**SETTINGS["two layers"])
    embedding, without = miniature.encode(image), everything(miniature, image, options)
    encoded = []
    encode = miniature.encode
    monkeypatch.setattr(miniature, "encode", lambda shown: encoded.append(shown.shape) or encode(shown))
    found = everything(miniature, image, options, embedding=embedding)
    assert len(encoded) == 4
    assert image.shape not in encoded
    assert [one.box for one in found] == [one.box for one in without]


def test_masks_that_do_not_pass_are_not_drawn(miniature, monkeypatch):
    drawn = []
    draw = miniature.decoder.draw
    monkeypatch.setattr(
        miniature.decoder,
        "draw",
        lambda answers, prompts, outputs: drawn.append(len(prompts)) or draw(answers, prompts, outputs),
    )
    everything(miniature, picture(), EverythingOptions(**SETTINGS["no thresholds"]))
    assert sum(drawn) == 3 * 16
    drawn.clear()
    everything(miniature, picture(), EverythingOptions(**SETTINGS["nothing passes"]))
    assert not drawn


def test_the_tolerance_of_crop_edges_shrinks_with_the_slice(miniature):
    def inner(tolerance):
        settings = {**SETTINGS["two layers"], "crop_nms_thresh": 1.0, "edge_tolerance_px": tolerance}
        found = everything(miniature, picture(80, 96), EverythingOptions(**settings))
        return sum(one.crop_box != (0, 0, 96, 80) for one in found)

    assert inner(20) < inner(None) <= inner(0)


def test_cleaning_by_hand():
    mask = np.zeros((12, 14), dtype=bool)
    mask[1:8, 1:8] = True
    mask[3, 3] = False  # a hole of one pixel
    mask[5:7, 4:6] = False  # a hole of four
    mask[10, 10:13] = True  # an island of three
    expected = mask.copy()
    expected[3, 3] = True
    expected[10, 10:13] = False
    np.testing.assert_array_equal(everything_module._clean(mask, 4), expected)
    assert everything_module._clean(mask, 1) is mask
    small = np.zeros((12, 14), dtype=bool)
    small[2, 2:4], small[8, 5:8] = True, True
    only = np.zeros_like(small)
    only[8, 5:8] = True
    np.testing.assert_array_equal(everything_module._clean(small, 10), only)
    empty = np.zeros((5, 5), dtype=bool)
    assert everything_module._clean(empty, 10) is empty


def test_crops_without_points_are_refused():
    with pytest.raises(ValidationError, match="without a point"):
        EverythingOptions(points_per_side=4, crop_n_layers=3, crop_n_points_downscale_factor=2)


def test_nothing_needs_gradients(miniature):
    before = torch.is_grad_enabled()
    everything(miniature, picture(), EverythingOptions(**LOOSE))
    assert torch.is_grad_enabled() is before
