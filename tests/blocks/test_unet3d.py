"""The 3D U-Net: its size, its shapes, its losses and its predictions over whole volumes."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from unseg_bench.blocks.training import seeded_torch
from unseg_bench.blocks.unet.networks import (
    _fold,
    _unfold,
    deeply_supervised,
    draw_kaiming,
    dynunet3d,
    predict_sliding,
    predict_whole,
    segmentation_loss,
    unet3d,
)


def small(**options):
    with seeded_torch(1):
        return unet3d((4, 8, 16), **{"norm": "instance", "dropout": 0.0, **options}).eval()


def noise(shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def by_hand(channels, classes=2):
    """Parameters of a U-Net with two norm-and-ReLU 3^3 convolutions a level and halving 2^3 up-convolutions."""

    def pair(n, m):
        return 27 * n * m + 2 * m + 27 * m * m + 2 * m

    total = pair(1, channels[0]) + channels[0] * classes + classes
    for high, low in pairwise(channels):
        total += pair(high, low) + 8 * low * (low // 2) + low // 2 + pair(high + low // 2, high)
    return total


@pytest.mark.parametrize("channels", [(16, 32, 64, 128, 256), (8, 16, 32, 64), (4, 8)])
def test_parameters(channels):
    assert count(unet3d(channels)) == by_hand(channels)


def test_the_authors_decoder_takes_all_channels_up_and_its_norms_learn_nothing():
    channels = (16, 32, 64, 128, 256)

    def pair(n, m):
        return 27 * n * m + 27 * m * m

    total = pair(1, 16) + sum(pair(high, low) + pair(high + low, high) for high, low in pairwise(channels)) + 2 * 17
    network = unet3d(channels, "instance", affine=False, upsampling="trilinear")
    assert count(network) == total
    assert not [layer for layer in network.modules() if isinstance(layer, nn.ConvTranspose3d)]
    features = torch.randn(1, 8, 3, 4, 5)
    up = unet3d((4, 8), "instance", upsampling="trilinear").up[0].upsample
    expected = nn.functional.interpolate(features, scale_factor=2, mode="trilinear", align_corners=False)
    torch.testing.assert_close(up(features), expected)


@pytest.mark.parametrize("half_grid", [False, True])
def test_the_authors_ways_go_with_any_shape(half_grid):
    ways = {"affine": False, "upsampling": "trilinear", "half_grid": half_grid}
    assert small(**ways)(torch.zeros(2, 1, 17, 11, 13)).shape == (2, 2, 17, 11, 13)


def test_kaiming_weights_have_the_deviation_for_relu():
    network = unet3d((16, 32))
    with seeded_torch(0):
        draw_kaiming(network)
    large = [
        layer.weight for layer in network.modules() if isinstance(layer, nn.Conv3d) and layer.weight.numel() > 1000
    ]
    assert len(large) == 5
    for weight in large:
        assert weight.std().item() == pytest.approx((2 / weight[0].numel()) ** 0.5, rel=0.05)


def test_paper_network_has_four_samplings_and_the_stated_size():
    network = unet3d()
    assert count(network) == 5_646_402
    assert f"{count(network):,}" in unet3d.__doc__
    assert sum(isinstance(layer, nn.MaxPool3d) for layer in network.modules()) == 4
    assert sum(isinstance(layer, nn.ConvTranspose3d) for layer in network.modules()) == 4
    assert sum(isinstance(layer, nn.BatchNorm3d) for layer in network.modules()) == 18


def test_nnunets_network_has_the_stated_size():
    channels, heads = (32, 64, 128, 256, 320, 320), 4

    def pair(n, m):
        return 27 * n * m + 2 * m + 27 * m * m + 2 * m

    by_level = sum(pair(n, m) + 8 * n * m + pair(2 * n, n) for n, m in pairwise(channels))
    network = dynunet3d()
    assert count(network) == pair(1, 32) + by_level + sum(2 * n + 2 for n in channels[:heads]) == 31_190_312
    assert f"{count(network):,}" in dynunet3d.__doc__
    assert sum(isinstance(layer, nn.InstanceNorm3d) for layer in network.modules()) == 22


@pytest.mark.parametrize("shape", [(8, 8, 8), (9, 11, 13)])
def test_nnunets_network_takes_any_shape_and_shows_coarser_heads_in_training_only(shape):
    with seeded_torch(1):
        network = dynunet3d((4, 8, 8, 8, 8), out_channels=3)
    image = torch.randn(2, 1, *shape)
    assert network.train()(torch.zeros(2, 1, 32, 32, 32)).shape == (2, 3, 3, 32, 32, 32)
    assert network.eval()(image).shape == (2, 3, *shape)
    assert dynunet3d((4, 8, 8), deep_supervision=False).train()(torch.zeros(2, 1, 8, 8, 8)).shape == (2, 2, 8, 8, 8)


def test_deep_supervision_halves_the_weight_of_each_coarser_head():
    logits, labels = torch.randn(2, 3, 2, 4, 4, 4), torch.randint(0, 2, (2, 4, 4, 4))
    measure = segmentation_loss("dice-ce")
    expected = sum(w * measure(logits[:, place], labels) for place, w in enumerate((4 / 7, 2 / 7, 1 / 7)))
    torch.testing.assert_close(deeply_supervised(measure)(logits, labels), expected)


@pytest.mark.parametrize("shape", [(8, 8, 8), (9, 11, 13), (16, 4, 7)])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_any_shape(shape, norm):
    assert small(norm=norm, out_channels=3)(torch.zeros(2, 1, *shape)).shape == (2, 3, *shape)


def test_every_level_learns():
    network = small().train()
    network(torch.randn(2, 1, 16, 16, 16)).square().mean().backward()
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for name, p in network.named_parameters() if "conv" in name
    )


@pytest.mark.parametrize("classes", [2, 4])
def test_foreground_prior(classes):
    network = small(foreground_prior=0.03, out_channels=classes)
    nn.init.zeros_(network.head.weight)
    assert 1 - network(torch.randn(1, 1, 8, 8, 8)).softmax(1)[0, 0, 1, 2, 3].item() == pytest.approx(0.03, abs=1e-5)


def test_dropout_acts_in_training_only():
    network = small(dropout=0.5)
    image = torch.randn(1, 1, 8, 8, 8)
    assert torch.equal(network(image), network(image))
    network.train()
    assert not torch.equal(network(image), network(image))


def test_losses_by_hand():
    logits = torch.randn(2, 2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    labels = (torch.rand(2, 4, 5, 6, generator=torch.Generator().manual_seed(1)) > 0.7).long()
    probability = logits.softmax(1)
    entropy = -probability.gather(1, labels[:, None]).log().mean()
    tumour = probability[:, 1]
    dice = 2 * (tumour * labels).sum() / (tumour.sum() + labels.sum())
    assert segmentation_loss("cross-entropy")(logits, labels).item() == pytest.approx(entropy.item(), rel=1e-5)
    assert segmentation_loss("dice-ce")(logits, labels).item() == pytest.approx((1 - dice + entropy).item(), rel=1e-4)


def test_sliding_over_one_window_is_the_network_itself():
    network, image = small(), noise((16, 32, 16))
    with torch.inference_mode():
        expected = network(torch.from_numpy(image)[None, None]).softmax(1)[0, 1].numpy()
    for patch in (None, (16, 32, 16)):
        assert np.allclose(predict_sliding(network, image, patch), expected, atol=1e-5)


@pytest.mark.parametrize("predict", [predict_sliding, predict_whole])
def test_predictions_are_probabilities_on_the_images_grid(predict):
    image = noise((17, 21, 9))
    before = image.copy()
    probability = predict(small(), image, (16, 16, 16))
    assert probability.shape == image.shape
    assert probability.dtype == np.float32
    assert 0 <= probability.min() < probability.max() <= 1
    assert np.array_equal(image, before)


class Brightness(nn.Module):
    """Calls tumour what is bright, in the left half of what it sees only."""

    def __init__(self):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, image):
        left = torch.arange(image.shape[2])[:, None, None] < image.shape[2] // 2
        tumour = torch.where(image[:, 0].gt(0.5) & left, 10.0, -10.0)
        return torch.stack([-tumour, tumour], dim=1)


def test_resized_prediction_is_argmax_resized_by_nearest_neighbour():
    image = noise((12, 10, 6))
    batch = torch.from_numpy(image)[None, None]
    resize = nn.functional.interpolate
    decided = Brightness()(resize(batch, (16, 16, 16), mode="nearest-exact")).argmax(1, keepdim=True).float()
    expected = resize(decided, (12, 10, 6), mode="nearest-exact")[0, 0].bool().numpy()
    assert expected.any()
    assert np.array_equal(predict_whole(Brightness(), image, (16, 16, 16)) > 0.5, expected)


@pytest.mark.parametrize("axes", [(0,), (0, 1, 2)])
def test_mirrored_predictions_are_averaged(axes):
    image = noise((16, 8, 8))
    once = predict_sliding(Brightness(), image)
    bright = image > 0.5
    assert np.array_equal(once > 0.5, bright & (np.arange(16) < 8)[:, None, None])
    assert np.allclose(predict_sliding(Brightness(), image, mirror_axes=axes), np.where(bright, 0.5, 0.0), atol=1e-6)


def test_interpolated_resizing_of_a_constant():
    assert np.allclose(predict_whole(Brightness(), np.zeros((5, 6, 7), np.float32), (8, 8, 8), "linear"), 0, atol=1e-6)


def test_half_grid_folds_and_unfolds_without_loss():
    image = torch.arange(2 * 4 * 6 * 8, dtype=torch.float32).reshape(2, 1, 4, 6, 8)
    assert _fold(image).shape == (2, 8, 2, 3, 4)
    assert torch.equal(_unfold(_fold(image)), image)


@pytest.mark.parametrize("shape", [(16, 16, 16), (17, 19, 21)])
def test_half_grid_answers_on_the_image_s_own_grid(shape):
    network = small(half_grid=True, foreground_prior=0.01)
    logits = network(torch.zeros(2, 1, *shape))
    assert logits.shape == (2, 2, *shape)
    assert logits.softmax(dim=1)[:, 1].mean() < 0.1


def test_a_volume_of_a_few_voxels_is_predicted_too() -> None:
    """Five-voxel brains leave less than a voxel on the coarsest level, and instance norm needs two."""
    network = unet3d((2, 2, 2, 2, 2), "instance", 0.0)
    assert predict_sliding(network, np.ones((3, 4, 2), np.float32)).shape == (3, 4, 2)
