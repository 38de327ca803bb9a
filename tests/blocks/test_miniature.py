"""The miniature pair: what ships fits its settings, is small, loads by the common way, and obeys its prompt."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam

from unseg_bench.blocks.clip.scorer import ClipScorer
from unseg_bench.blocks.miniature.architecture import FOLDER, build_sam, settings
from unseg_bench.blocks.prompts import bounding_box, box_prompt
from unseg_bench.blocks.sam.segmenter import SamSegmenter
from unseg_bench.blocks.weights import load_state_dict, resolve, sha256_of
from unseg_bench.errors import WeightsError

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def scripts(monkeypatch):
    """The training script's helpers, importable."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "miniature"]:
        del sys.modules[name]


def test_both_are_of_the_packages_own_classes():
    segmenter = SamSegmenter("miniature", offline=True)
    assert isinstance(ClipScorer(pretrained="miniature", offline=True).model, CLIP)
    assert isinstance(segmenter.sam, Sam)
    assert isinstance(segmenter.sam.mask_decoder, MaskDecoder)
    assert isinstance(segmenter.sam.prompt_encoder, PromptEncoder)


def test_the_files_are_small_and_the_ones_that_were_trained():
    files = [resolve(f"miniature-{kind}") for kind in ("clip", "sam")]
    assert sum(file.path.stat().st_size for file in files) <= 8_000_000
    for file, kind in zip(files, ("clip", "sam"), strict=True):
        assert file.sha256 == settings()[kind]["sha256"] == sha256_of(file.path)
        assert file.path.stat().st_size == settings()[kind]["bytes"]
        assert all(value.isfinite().all() for value in load_state_dict(file).values())
        assert (FOLDER / f"{kind}_log.jsonl").read_text().count("\n") > 10


def test_a_damaged_file_of_the_pair_is_refused(monkeypatch, tmp_path):
    (tmp_path / "sam.safetensors").write_bytes((FOLDER / "sam.safetensors").read_bytes()[:-1] + b"?")
    (tmp_path / "settings.json").write_bytes((FOLDER / "settings.json").read_bytes())
    monkeypatch.setattr("unseg_bench.blocks.weights_registry._MINIATURE", tmp_path)
    with pytest.raises(WeightsError, match="was refused: its SHA-256"):
        SamSegmenter("miniature", offline=True)


def disc(shape, centre, radius):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def test_the_sam_returns_the_disc_that_it_is_asked_for_and_not_the_other():
    shape = (96, 80)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    brain = ((rows - 48) / 44) ** 2 + ((columns - 40) / 36) ** 2 <= 1
    image = np.where(brain, 100 + 8 * np.random.default_rng(3).standard_normal(shape), 0)
    first, second = disc(shape, (40, 24), 9), disc(shape, (52, 56), 9)
    image[first | second] += 90
    picture = np.clip(image, 0, 255).astype(np.uint8)
    segmenter = SamSegmenter("miniature", offline=True)
    embedding = segmenter.encode(picture)
    for target, other in ((first, second), (second, first)):
        mask = segmenter.segment_many(embedding, [box_prompt(bounding_box(target))])[0][0]
        assert 2 * (mask & target).sum() / (mask.sum() + target.sum()) > 0.8
        assert not (mask & other).any()


def test_the_trainings_batched_decoder_equals_the_packages(scripts):
    from miniature.prompts import Prompts
    from miniature.train_sam import predict

    torch.manual_seed(0)
    sam = build_sam(**settings()["sam"]["architecture"]).eval()
    size = sam.image_encoder.img_size
    features = sam.image_encoder(torch.randn(2, 3, size, size))
    points, labels, boxes = torch.rand(2, 3, 2) * size, torch.tensor([[1, 0, 0]] * 2), torch.rand(2, 4) * size
    logits, quality = predict(sam, features, Prompts(points, labels, boxes, torch.zeros(0)))
    for index in range(2):
        one = slice(index, index + 1)
        sparse, dense = sam.prompt_encoder(points=(points[one], labels[one]), boxes=boxes[one], masks=None)
        expected = sam.mask_decoder.predict_masks(features[one], sam.prompt_encoder.get_dense_pe(), sparse, dense)
        torch.testing.assert_close(logits[one], expected[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(quality[one], expected[1], atol=1e-4, rtol=1e-4)


def test_scenes_and_prompts_are_repeatable_and_their_masks_lie_in_the_picture(scripts):
    from miniature.prompts import draw_prompts
    from miniature.scenes import SIZE, make_scenes

    rows, columns = np.mgrid[:112, :112]
    inside = ((rows - 56) / 45) ** 2 + ((columns - 56) / 38) ** 2 <= 1
    healthy = torch.from_numpy(np.where(inside, 0.3 * np.sin(rows / 5), -99.0)).float().expand(3, -1, -1)
    scenes = [make_scenes(healthy, -4.0, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(scenes[0].pictures, scenes[1].pictures)
    assert scenes[0].pictures.shape == (3, SIZE, SIZE)
    assert 0 <= scenes[0].pictures.min() <= scenes[0].pictures.max() <= 255
    prompts = [draw_prompts(scenes[0], np.random.default_rng(seed)) for seed in range(12)]
    assert all((prompt.masks.sum((1, 2)) > 0).all() for prompt in prompts)
    assert {prompt.boxes is None for prompt in prompts} == {True, False}
