"""SAM: equal to the package's own predictor, full size and in small."""

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry

from unseg_bench.blocks import precision
from unseg_bench.blocks.prompts import Prompt, box_prompt
from unseg_bench.blocks.sam import segmenter
from unseg_bench.blocks.sam.segmenter import SamSegmenter
from unseg_bench.errors import SettingsError, WeightsError

POINTS = np.array([[30.0, 20.0], [12.0, 9.0], [50.0, 9.0], [12.0, 40.0], [50.0, 40.0]], dtype=np.float32)
LABELS = np.array([1, 0, 0, 0, 0])
NO_POINTS, NO_LABELS = POINTS[:0], LABELS[:0]
PROMPTS = {
    "box": Prompt((12, 9, 50, 40), NO_POINTS, NO_LABELS),
    "points": Prompt(None, POINTS[:1], LABELS[:1]),
    "box and points": Prompt((12, 9, 50, 40), POINTS, LABELS),
}


def picture(height=70, width=84):
    return np.random.default_rng(2).integers(0, 256, (height, width), dtype=np.uint8)


def by_predictor(predictor, prompt, *, choose="single"):
    masks, quality, _ = predictor.predict(
        point_coords=prompt.points if len(prompt.points) else None,
        point_labels=prompt.labels if len(prompt.points) else None,
        box=None if prompt.box is None else np.array(prompt.box),
        multimask_output=choose == "best",
    )
    best = int(quality.argmax())
    return masks[best], float(quality[best])


def alone(segmenter, embedding, prompt):
    masks, quality = segmenter.segment_many(embedding, [prompt])
    return masks[0], float(quality[0])


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.fixture(scope="module")
def miniature():
    return SamSegmenter("miniature", offline=True)


@pytest.mark.parametrize("name", PROMPTS)
def test_the_miniature_gives_what_the_packages_predictor_gives(miniature, name):
    predictor = SamPredictor(miniature.sam)
    image = picture()
    predictor.set_image(np.repeat(image[:, :, None], 3, 2))
    mask, quality = alone(miniature, miniature.encode(image), PROMPTS[name])
    expected, expected_quality = by_predictor(predictor, PROMPTS[name])
    assert mask.dtype == bool
    assert mask.shape == image.shape
    np.testing.assert_array_equal(mask, expected)
    assert quality == pytest.approx(expected_quality, abs=1e-6)


def test_points_change_what_a_box_alone_gives(miniature):
    embedding = miniature.encode(picture())
    _, box = alone(miniature, embedding, PROMPTS["box"])
    _, both = alone(miniature, embedding, PROMPTS["box and points"])
    assert box != both


def test_a_batch_encodes_as_one_by_one(miniature):
    images = np.stack([picture(), picture()[::-1], picture()[:, ::-1]])
    together = miniature.encode_many(images, batch_size=2)
    for image, embedding in zip(images, together, strict=True):
        alone = miniature.encode(image)
        assert (alone.original_size, alone.input_size) == (embedding.original_size, embedding.input_size)
        torch.testing.assert_close(alone.features, embedding.features, atol=1e-4, rtol=1e-4)


def test_embeddings_do_not_mix(miniature):
    small, large = miniature.encode(picture()), miniature.encode(picture(128, 100))
    first = alone(miniature, small, PROMPTS["box"])[0]
    assert alone(miniature, large, PROMPTS["box"])[0].shape == (128, 100)
    np.testing.assert_array_equal(alone(miniature, small, PROMPTS["box"])[0], first)


def test_pictures_that_are_not_of_bytes_are_refused(miniature):
    with pytest.raises(ValueError, match="uint8"):
        miniature.encode(picture().astype(np.float32))


def mixed_prompts():
    """Prompts of every layout, in no order: more of one layout than the decoder takes at once."""
    rng = np.random.default_rng(5)
    prompts = []
    for index in range(40):
        x0, y0 = rng.integers(0, 50, 2).tolist()
        box = (x0, y0, x0 + int(rng.integers(3, 30)), y0 + int(rng.integers(3, 18)))
        points = rng.uniform(0, 60, (int(rng.integers(1, 3)), 2)).astype(np.float32)
        labels = rng.integers(0, 2, len(points))
        kinds = [box_prompt(box), Prompt(None, points, labels), Prompt(box, points, labels)]
        prompts.append(kinds[0] if index < 20 else kinds[index % 3])
    return [prompts[index] for index in rng.permutation(40)]


@pytest.mark.parametrize("choose", ["single", "best"])
def test_many_prompts_give_what_each_gives_alone_in_the_package(miniature, choose):
    predictor = SamPredictor(miniature.sam)
    image = picture()
    predictor.set_image(np.repeat(image[:, :, None], 3, 2))
    prompts = mixed_prompts()
    masks, quality = miniature.segment_many(miniature.encode(image), prompts, choose=choose)
    assert masks.shape == (40, *image.shape)
    assert masks.dtype == bool
    for mask, found, prompt in zip(masks, quality, prompts, strict=True):
        expected, expected_iou = by_predictor(predictor, prompt, choose=choose)
        np.testing.assert_array_equal(mask, expected)
        assert found == pytest.approx(expected_iou, abs=1e-5)


def test_prompts_of_one_layout_share_decoder_batches(miniature, monkeypatch):
    sizes = []
    ask = miniature.decoder.ask

    def counting(features, points, boxes):
        sizes.append(len(boxes))
        return ask(features, points, boxes)

    monkeypatch.setattr(miniature.decoder, "ask", counting)
    monkeypatch.setattr(segmenter, "PROMPTS_AT_ONCE", 4)
    miniature.segment_many(miniature.encode(picture()), [box_prompt((1, 2, 9 + k, 12)) for k in range(9)])
    assert sizes == [4, 4, 1]


def test_no_prompts_give_no_masks(miniature):
    masks, quality = miniature.segment_many(miniature.encode(picture()), [])
    assert masks.shape == (0, 70, 84)
    assert quality.shape == (0,)


def test_bfloat16_is_refused_on_a_cpu():
    with pytest.raises(SettingsError, match=r"sam\.precision=bfloat16 needs a GPU that has it in hardware, not cpu"):
        SamSegmenter("miniature", offline=True, precision="bfloat16")


def test_bfloat16_encodes_and_gives_nearly_the_same_mask(monkeypatch, miniature):
    for module in (segmenter, precision):
        monkeypatch.setattr(module, "has_bfloat16", lambda _device: True)
    half = SamSegmenter("miniature", offline=True, precision="bfloat16")
    embedding, exact = half.encode(picture()), miniature.encode(picture())
    assert embedding.features.dtype == torch.float32
    assert not torch.equal(embedding.features, exact.features)
    prompt = [PROMPTS["box"]]
    mask, expected = half.segment_many(embedding, prompt)[0], miniature.segment_many(exact, prompt)[0]
    assert iou(mask, expected) > 0.9


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
    for block in reference.image_encoder.blocks:  # the package starts relative positions at zero
        torch.nn.init.normal_(block.attn.rel_pos_h, std=0.1)
        torch.nn.init.normal_(block.attn.rel_pos_w, std=0.1)
    path = tmp_path / "random.pth"
    torch.save(reference.state_dict(), path)
    segmenter = SamSegmenter("vit_b", path)
    for name, value in segmenter.sam.state_dict().items():
        assert torch.equal(value, reference.state_dict()[name])
    for sam in (reference, segmenter.sam):  # two global blocks of four, to save time
        sam.image_encoder.blocks = sam.image_encoder.blocks[:6]
    predictor = SamPredictor(reference.eval())
    image = picture(60, 48)
    predictor.set_image(np.repeat(image[:, :, None], 3, 2))
    embedding = segmenter.encode(image)
    torch.testing.assert_close(embedding.features, predictor.features, atol=1e-4, rtol=1e-4)
    rounded = segmenter.embedding(embedding.features.half().float(), image.shape)
    for prompt in PROMPTS.values():
        expected, expected_quality = by_predictor(predictor, prompt)
        mask, quality = alone(segmenter, embedding, prompt)
        assert iou(mask, expected) >= 0.999
        assert quality == pytest.approx(expected_quality, abs=1e-4)
        assert iou(alone(segmenter, rounded, prompt)[0], expected) >= 0.99
