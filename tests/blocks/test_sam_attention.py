"""The fast encoder against segment-anything's own."""

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT
from torch import nn

from unseg_bench.blocks.sam import attention
from unseg_bench.blocks.sam.attention import FastEncoder


@pytest.fixture(scope="module")
def encoder():
    """The heads of SAM's size, few of them: windows of 14 of a grid of 20 tokens, padded, then all tokens."""
    torch.manual_seed(3)
    made = ImageEncoderViT(
        img_size=320, embed_dim=128, depth=3, num_heads=2, out_chans=32, use_rel_pos=True, window_size=14,
        global_attn_indexes=(1,), norm_layer=lambda width: nn.LayerNorm(width, eps=1e-6),
    )  # fmt: skip
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    return made.eval()


@pytest.fixture
def images():
    return torch.randn(2, 3, 320, 320, generator=torch.Generator().manual_seed(1))


def expected_of(encoder, images):
    with torch.no_grad():
        return encoder(images)


@pytest.mark.parametrize("scores", [1 << 20, 200_000, 70_001, 100])
def test_in_blocks_of_any_size_it_gives_what_the_package_gives(encoder, images, monkeypatch, scores):
    monkeypatch.setattr(attention, "_SCORES_IN_CACHE", scores)
    monkeypatch.setattr(attention, "_ROWS_IN_CACHE", 96)
    found, expected = FastEncoder(encoder)(images), expected_of(encoder, images)
    assert expected.std() > 0.05
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_by_the_fused_kernel_it_gives_what_the_package_gives(encoder, images, monkeypatch):
    monkeypatch.setattr(attention, "_in_blocks", attention._fused)
    torch.testing.assert_close(FastEncoder(encoder)(images), expected_of(encoder, images), atol=1e-4, rtol=1e-4)


def test_bfloat16_goes_through_the_fused_kernel_and_stays_close(encoder, images, monkeypatch):
    monkeypatch.setattr(attention, "_in_blocks", None)
    expected = expected_of(encoder, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = FastEncoder(encoder)(images).float()
    assert (found - expected).abs().mean() < 0.05 * expected.abs().mean()


def test_what_padding_adds_to_the_attention_counts(encoder, images, monkeypatch):
    true = attention._padded
    monkeypatch.setattr(attention, "_padded", lambda qkv, bias, window: true(qkv, 0 * bias, window))
    assert (FastEncoder(encoder)(images) - expected_of(encoder, images)).abs().max() > 1e-2


def test_images_and_weights_stay_as_they_were(encoder, images):
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    copy = images.clone()
    first = FastEncoder(encoder)(images)
    assert torch.equal(first, FastEncoder(encoder)(images))
    assert torch.equal(images, copy)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
