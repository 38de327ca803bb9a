"""CLIP: equal to open_clip's own zero-shot recipe, with the activation that the weights were trained with, offline."""

import socket

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms.functional import InterpolationMode, center_crop, resize

from unseg_bench.blocks.clip import scorer
from unseg_bench.blocks.clip.scorer import ClipScorer, as_bytes, clip_weights
from unseg_bench.blocks.weights import find_entry
from unseg_bench.errors import SettingsError, WeightsError

CAPTIONS = [["a normal brain", "a healthy brain"], ["a brain with a tumor"]]


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """Random weights of a full-size ViT-B/32, in a file."""
    torch.manual_seed(0)
    model = open_clip.create_model("ViT-B-32", load_weights=False)
    path = tmp_path_factory.mktemp("clip") / "random.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    return path


@pytest.fixture
def no_network(monkeypatch):
    """Every attempt to connect fails the test."""

    def refuse(*_):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def pictures(height, width, count=3):
    return np.random.default_rng(1).integers(0, 256, (count, height, width), dtype=np.uint8)


def by_open_clip(model, tokenizer, preprocess, images, captions):
    """open_clip's own way, class by class: its zero-shot classifier and its preprocessing of PIL images."""
    columns = [
        open_clip.build_zero_shot_classifier(model, tokenizer, ["x"], [lambda _, text=text: text for text in group])
        for group in captions
    ]
    batch = torch.stack([preprocess(Image.fromarray(image).convert("RGB")) for image in images])
    with torch.no_grad():
        features = model.encode_image(batch, normalize=True)
        return (model.logit_scale.exp() * features @ torch.cat(columns, 1)).softmax(-1).numpy()


@pytest.mark.slow
def test_full_size_probabilities_equal_open_clips_recipe(random_weights, no_network, caplog):
    scorer = ClipScorer("ViT-B-32", random_weights, offline=True)
    assert "randomly" not in caplog.text  # weights are loaded after open_clip has made the model
    reference, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained=str(random_weights))
    reference.eval()
    images = pictures(96, 96, count=2)
    expected = by_open_clip(reference, open_clip.get_tokenizer("ViT-B-32"), preprocess, images, CAPTIONS)
    np.testing.assert_allclose(scorer.probabilities(images, CAPTIONS), expected, atol=1e-5)


def test_miniature_probabilities_equal_open_clips_recipe(no_network):
    scorer = ClipScorer(pretrained="miniature", offline=True)
    images = pictures(96, 96)
    expected = by_open_clip(
        scorer.model, open_clip.SimpleTokenizer(), scorer._preprocess, images, [*CAPTIONS, ["nothing"]]
    )
    found = scorer.probabilities(images, [*CAPTIONS, ["nothing"]], batch_size=2)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_values_go_through_clips_own_transform_and_lose_what_follows_the_point(no_network):
    scorer = ClipScorer(pretrained="miniature", offline=True)
    values = np.random.default_rng(2).normal(60, 60, (2, 60, 96)).astype(np.float32)
    size = scorer._preprocess.transforms[1].size[0]
    whole = [resize(Image.fromarray(one), size, InterpolationMode.BICUBIC) for one in values]
    cut = [np.asarray(center_crop(one, [size, size])) for one in whole]
    assert min(one.min() for one in cut) < 0
    bytes_ = np.array([np.clip(np.trunc(one), 0, 255) for one in cut]).astype(np.uint8)
    found = scorer.probabilities_of_values(values, CAPTIONS, batch_size=1)
    np.testing.assert_allclose(found, scorer.probabilities(bytes_, CAPTIONS), atol=1e-5)


def activations(scorer):
    blocks = [*scorer.model.visual.transformer.resblocks, *scorer.model.transformer.resblocks]
    return {type(block.mlp.gelu) for block in blocks}


@pytest.mark.slow
def test_openais_weights_compute_with_quick_gelu_whatever_the_models_name(random_weights, monkeypatch):
    known = scorer.resolve(random_weights)
    monkeypatch.setattr(scorer, "resolve", lambda *_, **__: known)
    assert activations(ClipScorer("ViT-B-32", "openai", offline=True)) == {QuickGELU}


@pytest.mark.slow
def test_a_files_activation_follows_the_name_or_the_users_word(random_weights):
    assert activations(ClipScorer("ViT-B-32", random_weights)) == {torch.nn.GELU}
    assert activations(ClipScorer("ViT-B-32", random_weights, quick_gelu=True)) == {QuickGELU}


def test_a_users_copy_of_openais_file_is_known_by_its_digest(random_weights):
    entry = next(entry for entry in scorer.known_weights().values() if entry.name == "clip-vit-b-32-openai")
    assert scorer._needs_quick_gelu(scorer.WeightsFile(random_weights, entry.sha256, "./copy"), {})
    assert not scorer._needs_quick_gelu(scorer.WeightsFile(random_weights, "0" * 64, "./copy"), {})


def test_offline_says_where_openais_file_belongs(no_network):
    with pytest.raises(WeightsError, match=r"patch32_clip_224\.openai.*clip_vit_b_32_openai\.safetensors"):
        ClipScorer("ViT-B-32", "openai", offline=True)
    with pytest.raises(WeightsError, match=r"vit_base_patch32_clip_224\.openai"):
        clip_weights("ViT-B-32", "openai", offline=True)


def test_other_tags_of_open_clip_are_known_by_their_hub_file(no_network):
    with pytest.raises(WeightsError, match=r"co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K/resolve/main/open_clip"):
        clip_weights("ViT-B-32", "laion2b_s34b_b79k", offline=True)


def test_a_tag_is_found_by_the_name_that_a_run_writes_down():
    entry = find_entry("clip-vit-l-14-laion2b_s32b_b82k")
    assert entry.file == "clip-vit-l-14-laion2b_s32b_b82k.safetensors"
    assert "laion/CLIP-ViT-L-14-laion2B-s32B-b82K" in entry.url
    assert find_entry("clip-vit-b-32-openai").what.startswith("OpenAI's CLIP")
    assert find_entry("clip-nothing") is find_entry("mine.pth") is None


def test_unknown_models_and_models_with_a_remote_tokenizer_are_refused(no_network):
    with pytest.raises(WeightsError, match="not known to open_clip"):
        ClipScorer("ViT-Z-1", "openai", offline=True)
    with pytest.raises(WeightsError, match="tokenizer from Hugging Face"):
        ClipScorer("ViT-B-16-SigLIP", "webli", offline=True)


def test_weights_of_another_architecture_are_refused():
    weights = clip_weights("", "miniature").path
    with pytest.raises(WeightsError, match="does not hold weights of CLIP ViT-B-32"):
        ClipScorer("ViT-B-32", weights)


def test_float_slices_are_scaled_one_by_one():
    images = np.stack([np.linspace(-3, 4, 64).reshape(8, 8), np.full((8, 8), 2.0)]).astype(np.float32)
    scaled = as_bytes(images)
    assert scaled[0].min() == 0
    assert scaled[0].max() == 255
    assert not scaled[1].any()
    with pytest.raises(ValueError, match=r"expected \(N, H, W\)"):
        as_bytes(images[0])


def test_oblong_slices_are_padded_and_not_cut(no_network):
    scorer = ClipScorer(pretrained="miniature", offline=True)
    oblong = np.zeros((1, 60, 96), np.uint8)
    oblong[0, 10:50, 2:94] = pictures(40, 92, 1)[0]
    square = np.zeros((1, 96, 96), np.uint8)
    square[0, 18:78] = oblong[0]
    np.testing.assert_array_equal(scorer.probabilities(oblong, CAPTIONS), scorer.probabilities(square, CAPTIONS))


def test_no_slices_and_no_captions(no_network):
    scorer = ClipScorer(pretrained="miniature", offline=True)
    assert scorer.probabilities(np.zeros((0, 8, 8), np.uint8), CAPTIONS).shape == (0, 2)
    with pytest.raises(ValueError, match="non-empty list"):
        scorer.probabilities(pictures(8, 8), [[], ["a"]])


def test_cosines_are_of_unit_vectors_whatever_the_pictures_sizes(no_network):
    scorer = ClipScorer(pretrained="miniature", offline=True)
    own = [pictures(96, 96, 1)[0], pictures(40, 40, 1)[0], pictures(40, 12, 1)[0]]
    classes = scorer.class_features(CAPTIONS)
    found = scorer.cosines(own, classes, batch_size=2)
    np.testing.assert_allclose(found[:1], scorer.cosines(pictures(96, 96, 1), classes), atol=1e-6)
    probabilities = torch.from_numpy(scorer.logit_scale * found[:1]).softmax(-1).numpy()
    np.testing.assert_allclose(probabilities, scorer.probabilities(pictures(96, 96, 1), CAPTIONS), atol=1e-6)
    assert found.shape == (3, 2)
    assert (np.abs(found) <= 1).all()
    assert scorer.cosines([], classes).shape == (0, 2)


def test_a_class_is_the_mean_of_unit_vectors_or_of_the_encoders_own(no_network):
    scorer = ClipScorer(pretrained="miniature", offline=True)
    with torch.no_grad():
        own = scorer.model.encode_text(open_clip.SimpleTokenizer()(CAPTIONS[0])).numpy()
    unit = own / np.linalg.norm(own, axis=1, keepdims=True)
    for equal, vectors in ((True, unit), (False, own)):
        expected = vectors.mean(0) / np.linalg.norm(vectors.mean(0))
        np.testing.assert_allclose(
            scorer.class_features(CAPTIONS[:1], equal_weights=equal)[0], expected, rtol=1e-4, atol=1e-6
        )
    assert not np.allclose(unit.mean(0) / np.linalg.norm(unit.mean(0)), own.mean(0) / np.linalg.norm(own.mean(0)))


def test_a_caption_that_clip_would_cut_is_refused(no_network):
    scorer = ClipScorer(pretrained="miniature", offline=True)
    scorer.class_features([["brain " * 75]])
    with pytest.raises(SettingsError, match="has 78 tokens, CLIP reads 77"):
        scorer.class_features([["brain " * 76]])
