"""The fast decoder against segment-anything's own, trained and with random weights."""

import pytest
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer

from unseg_bench.blocks.sam.decoder import FastDecoder
from unseg_bench.blocks.sam.segmenter import SamSegmenter


class Random:
    """A prompt encoder and a decoder with the heads of the full-size SAM on a small grid, all weights random."""

    def __init__(self):
        torch.manual_seed(4)
        self.prompt_encoder = PromptEncoder(
            embed_dim=64, image_embedding_size=(9, 9), input_image_size=(144, 144), mask_in_chans=16
        )
        self.mask_decoder = MaskDecoder(
            transformer_dim=64,
            transformer=TwoWayTransformer(depth=3, embedding_dim=64, num_heads=8, mlp_dim=32),
            iou_head_depth=3,
            iou_head_hidden_dim=32,
        )
        for parameter in [*self.prompt_encoder.parameters(), *self.mask_decoder.parameters()]:
            torch.nn.init.normal_(parameter, std=0.3)


@pytest.fixture(scope="module")
def models():
    return {"random": Random(), "trained": SamSegmenter("miniature", offline=True).sam}


def prompts(count, points, with_box):
    generator = torch.Generator().manual_seed(points)
    coordinates = torch.rand(count, points, 2, generator=generator) * 90
    labels = torch.randint(0, 2, (count, points), generator=generator).int()
    corners = torch.sort(torch.rand(count, 2, 2, generator=generator) * 90, dim=1).values.reshape(count, 4)
    return (coordinates, labels) if points else None, corners if with_box else None


@pytest.mark.parametrize("name", ["random", "trained"])
@pytest.mark.parametrize(
    ("count", "points", "with_box"), [(1, 1, False), (5, 1, False), (3, 9, True), (1, 5, True), (2, 0, True)]
)
def test_it_gives_the_masks_and_the_iou_of_the_package(models, name, count, points, with_box):
    sam = models[name]
    height, width = sam.prompt_encoder.image_embedding_size
    features = torch.randn(1, 64, height, width, generator=torch.Generator().manual_seed(8))
    coordinates, boxes = prompts(count, points, with_box)
    with torch.no_grad():
        sparse, dense = sam.prompt_encoder(points=coordinates, boxes=boxes, masks=None)
        expected, expected_iou = sam.mask_decoder.predict_masks(
            image_embeddings=features,
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
    decoder = FastDecoder(sam)
    answers = decoder.ask(features, coordinates, boxes)
    every = torch.arange(count).repeat_interleave(4)
    drawn = decoder.draw(answers, every, torch.arange(4).repeat(count)).view_as(expected)
    scale = float(expected.abs().max())
    torch.testing.assert_close(answers.predicted_iou, expected_iou, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(drawn / scale, expected / scale, atol=1e-5, rtol=0)
    some = decoder.draw(answers, torch.tensor([count - 1, 0]), torch.tensor([2, 1]))
    torch.testing.assert_close(some[0] / scale, expected[count - 1, 2] / scale, atol=1e-5, rtol=0)
    torch.testing.assert_close(some[1] / scale, expected[0, 1] / scale, atol=1e-5, rtol=0)
