"""SaLIP with the shipped small SAM and CLIP: boxes through SAM's frame, one encoding a slice, small slices."""

import numpy as np
import pytest
import torch
from unseg_bench_methods.salip.method import Salip
from unseg_bench_methods.salip.options import SalipOptions
from unseg_bench_methods.salip.pictures import SlicePicture, draw_slices
from unseg_bench_methods.salip.pipeline import Pipeline
from unseg_bench_methods.salip.presets import DEMO

from unseg_bench.blocks.prompts import bounding_box, box_prompt
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.trial import tiny_case

OPTIONS = preset_options(Salip, "demo")
VOLUME = tiny_case("case", 3, shape=(48, 60, 20)).volume


@pytest.fixture(scope="module")
def models():
    return Pipeline(OPTIONS, device="cpu", offline=True)


@pytest.fixture(scope="module")
def one():
    (picture,) = draw_slices(VOLUME, np.array([10]), OPTIONS)
    return picture


@pytest.fixture
def encodings(models, monkeypatch):
    """The sizes of the batches that SAM's encoder was given."""
    sizes: list[int] = []
    hook = models._sam.sam.image_encoder.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    yield sizes
    hook.remove()


@pytest.mark.parametrize("layers", [0, 1])
def test_a_slice_is_encoded_once_and_each_crop_of_it_once(models, one, encodings, layers):
    models.run(one, OPTIONS.everything.model_copy(update={"crop_n_layers": layers}))
    assert sum(encodings) == 1 + 4 * layers


def test_boxes_are_those_of_the_masks_and_survive_sams_frame(models, one):
    result = models.run(one, OPTIONS.everything)
    assert len(result.proposals) > 5
    rows, columns = one.picture.shape
    for proposal in result.proposals:
        x0, y0, x1, y1 = proposal.box
        assert proposal.mask.shape == (rows, columns)
        assert proposal.box == bounding_box(proposal.mask)
        corners = models._sam.to_input(np.array([[x0, y0], [x1, y1]]), (rows, columns))
        back = (
            corners
            * torch.tensor([columns, rows])
            / torch.tensor(models._sam.embedding(corners, one.picture.shape).input_size[::-1])
        )
        np.testing.assert_allclose(back.numpy(), [[x0, y0], [x1, y1]], atol=1e-3)


def test_sams_answer_to_the_kept_boxes_is_the_result(models, one):
    result = models.run(one, OPTIONS.everything)
    prompts = [box_prompt(result.candidates[number].box) for number in result.kept]
    masks, _ = models._sam.segment_many(models._sam.encode(one.picture), prompts)
    assert len(prompts) == 1
    np.testing.assert_array_equal(result.mask, masks[0])


def small_slice(side):
    """A bright disc in a grey brain, off centre, drawn directly on a picture of this length."""
    y, x = np.mgrid[:side, :side] / side
    brain = (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.2
    disc = (x - 0.36) ** 2 + (y - 0.4) ** 2 < 0.006
    picture = (90 * brain + 110 * disc).astype(np.uint8)
    return SlicePicture(0, picture, brain, np.zeros(brain.shape, np.float32), brain.shape)


@pytest.mark.parametrize("side", [96, OPTIONS.pictures.long_side_px])
def test_crops_of_small_slices_propose_something_too(models, side):
    """With the package's fixed 20 pixels next to nothing is left of the crops of a slice of 96."""
    layers = {"crop_n_layers": 1, "min_mask_region_area": 0}
    one = small_slice(side)

    def from_crops(**options):
        found = models.run(one, OPTIONS.everything.model_copy(update=layers | options)).proposals
        return sum(proposal.crop_box != (0, 0, side, side) for proposal in found)

    scaled, fixed = from_crops(), from_crops(edge_tolerance_px=20.0)
    assert scaled > 5
    assert fixed < scaled if side == 96 else fixed > 0


@pytest.mark.parametrize("preset", ["paper", "reference-code"])
def test_the_published_presets_answer_every_slice_also_one_without_tumour(preset):
    values = preset_options(Salip, preset).model_dump()
    for group, small in {"sam": {}, "clip": {}, "everything": {"min_mask_region_area": 200}}.items():
        values[group] |= DEMO[group] | small
    options = SalipOptions.model_validate(values)
    pipeline = Pipeline(options, device="cpu", offline=True)
    healthy = tiny_case("healthy", 5, shape=(48, 60, 20), tumour=False).volume
    for one in draw_slices(healthy, np.array([4, 10]), options):
        result = pipeline.run(one, options.everything)
        assert len(result.kept) == 1
        assert result.mask.any()
