"""SAM: equal to the package's own predictor, full size and in small."""

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry

from unseg_bench.blocks.sam import SamSegmenter
from unseg_bench.errors import WeightsError

POINTS = np.array([[30.0, 20.0], [12.0, 9.0], [50.0, 9.0], [12.0, 40.0], [50.0, 40.0]])
LABELS = np.array([1, 0, 0, 0, 0])
BOX = np.array([12, 9, 50, 40])
PROMPTS = {
    "box": {"box": BOX},
    "points": {"points": POINTS[:1], "labels": LABELS[:1]},
    "box and points": {"points": POINTS, "labels": LABELS, "box": BOX},
}


def picture(height=70, width=84):
    return np.random.default_rng(2).integers(0, 256, (height, width), dtype=np.uint8)


def by_predictor(predictor, prompt):
    masks, quality, _ = predictor.predict(
        point_coords=prompt.get("points"),
        point_labels=prompt.get("labels"),
        box=prompt.get("box"),
        multimask_output=False,
    )
    return masks[0], float(quality[0])


@pytest.fixture(scope="module")
def miniature():
    return SamSegmenter("miniature", offline=True)


@pytest.mark.parametrize("name", PROMPTS)
def test_the_miniature_gives_what_the_packages_predictor_gives(miniature, name):
    predictor = SamPredictor(miniature.sam)
    image = picture()
    predictor.set_image(np.repeat(image[:, :, None], 3, 2))
    mask, quality = miniature.segment(miniature.encode(image), **PROMPTS[name])
    expected, expected_quality = by_predictor(predictor, PROMPTS[name])
    assert mask.dtype == bool
    assert mask.shape == image.shape
    np.testing.assert_array_equal(mask, expected)
    assert quality == pytest.approx(expected_quality, abs=1e-6)


def test_points_change_what_a_box_alone_gives(miniature):
    embedding = miniature.encode(picture())
    _, alone = miniature.segment(embedding, **PROMPTS["box"])
    _, both = miniature.segment(embedding, **PROMPTS["box and points"])
    assert alone != both


def test_a_batch_encodes_as_one_by_one(miniature):
    images = np.stack([picture(), picture()[::-1], picture()[:, ::-1]])
    together = miniature.encode_many(images, batch_size=2)
    for image, embedding in zip(images, together, strict=True):
        alone = miniature.encode(image)
        assert (alone.original_size, alone.input_size) == (embedding.original_size, embedding.input_size)
        torch.testing.assert_close(alone.features, embedding.features, atol=1e-4, rtol=1e-4)


def test_embeddings_do_not_mix(miniature):
    small, large = miniature.encode(picture()), miniature.encode(picture(128, 100))
    first = miniature.segment(small, box=BOX)[0]
    assert miniature.segment(large, box=BOX)[0].shape == (128, 100)
    np.testing.assert_array_equal(miniature.segment(small, box=BOX)[0], first)


def test_prompts_that_say_nothing_or_half_are_refused(miniature):
    embedding = miniature.encode(picture())
    with pytest.raises(ValueError, match="a prompt is needed"):
        miniature.segment(embedding)
    with pytest.raises(ValueError, match="go together"):
        miniature.segment(embedding, points=POINTS)
    with pytest.raises(ValueError, match="uint8"):
        miniature.encode(picture().astype(np.float32))


def test_unknown_models_missing_files_and_other_architectures_are_refused(tmp_path, miniature):
    with pytest.raises(WeightsError, match="'vit_x' is unknown: choose one of vit_b"):
        SamSegmenter("vit_x")
    with pytest.raises(
        WeightsError, match=r"put https://dl\.fbaipublicfiles\.com/segment_anything/sam_vit_b_01ec64\.pth"
    ):
        SamSegmenter("vit_b", offline=True)
    other = tmp_path / "other.pth"
    torch.save({"image_encoder.pos_embed": torch.zeros(1)}, other)
    with pytest.raises(WeightsError, match="does not hold weights of SAM miniature"):
        SamSegmenter("miniature", other)


@pytest.mark.slow
def test_full_size_vit_b_gives_what_the_packages_predictor_gives(tmp_path):
    torch.manual_seed(0)
    reference = sam_model_registry["vit_b"]()
    path = tmp_path / "random.pth"
    torch.save(reference.state_dict(), path)
    segmenter = SamSegmenter("vit_b", path)
    for name, value in segmenter.sam.state_dict().items():
        assert torch.equal(value, reference.state_dict()[name])
    for sam in (reference, segmenter.sam):  # two windowed blocks and a global one of twelve, to save time
        sam.image_encoder.blocks = sam.image_encoder.blocks[:3]
    predictor = SamPredictor(reference.eval())
    image = picture(60, 48)
    predictor.set_image(np.repeat(image[:, :, None], 3, 2))
    prompt = PROMPTS["box and points"]
    expected, expected_quality = by_predictor(predictor, prompt)
    embedding = segmenter.encode(image)
    torch.testing.assert_close(embedding.features, predictor.features, atol=1e-4, rtol=1e-4)
    mask, quality = segmenter.segment(embedding, **prompt)
    np.testing.assert_array_equal(mask, expected)
    assert quality == pytest.approx(expected_quality, abs=1e-5)
