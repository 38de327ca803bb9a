"""Maps and losses of constrained VAEs against scipy, torch's own distributions, autograd and pytorch-grad-cam."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import nn

from unseg_bench.blocks.constrained_vae.losses import (
    attention_map,
    constraint_loss,
    log_barrier,
    map_entropy,
    vae_loss,
)
from unseg_bench.blocks.constrained_vae.network import Coded, ConstrainedVae
from unseg_bench.blocks.constrained_vae.options import LossOptions, NetworkOptions


@pytest.fixture
def region():
    region = torch.zeros(16, 16, dtype=torch.bool)
    region[3:12, 5:13] = True
    return region


def test_entropy_equals_scipys(region):
    maps = 3 * torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(0))
    expected = [stats.entropy(special.softmax(one[region].numpy())) for one in maps]
    np.testing.assert_allclose(map_entropy(maps, region), expected, rtol=1e-5)


def test_flat_map_has_the_highest_entropy_and_no_gradient(region):
    maps = torch.full((1, 16, 16), 0.7, requires_grad=True)
    entropy = map_entropy(maps, region)
    assert entropy.item() == pytest.approx(math.log(72), rel=1e-6)
    entropy.sum().backward()
    assert maps.grad.abs().max() < 1e-6


def test_spike_has_next_to_none(region):
    maps = torch.zeros(1, 16, 16)
    maps[0, 6, 6] = 50.0
    assert float(map_entropy(maps, region)) < 1e-6


def test_background_does_not_count(region):
    maps = torch.randn(2, 16, 16, requires_grad=True)
    other = torch.where(region, maps, 9.0)
    torch.testing.assert_close(map_entropy(maps, region), map_entropy(other, region))
    map_entropy(maps, region).sum().backward()
    assert not maps.grad[:, ~region].any()


def test_empty_region_gives_nothing_and_no_nan(region):
    maps = torch.randn(2, 16, 16, requires_grad=True)
    entropy = map_entropy(maps, torch.zeros_like(region))
    entropy.sum().backward()
    assert not entropy.any()
    assert not maps.grad.any()


def test_loss_falls_as_the_map_evens_out(region):
    maps = torch.randn(2, 8, 8)
    losses = [float(constraint_loss(maps * uneven, region, LossOptions())) for uneven in (4.0, 1.0, 0.1)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("steepness", [5.0, 10.0, 20.0])
def test_barrier_and_its_slope_are_continuous_at_the_join(steepness):
    join = -1 / steepness**2
    excess = torch.tensor([join - 1e-9, join + 1e-9], dtype=torch.float64, requires_grad=True)
    value = log_barrier(excess, steepness)
    value.sum().backward()
    np.testing.assert_allclose(value.detach(), -math.log(-join) / steepness, rtol=1e-7)
    np.testing.assert_allclose(excess.grad, steepness, rtol=1e-6)


def test_barrier_is_a_logarithm_below_and_a_line_above():
    excess = torch.tensor([-0.7, -0.1, 0.3, 0.9], dtype=torch.float64)
    value = log_barrier(excess, 20.0).numpy()
    np.testing.assert_allclose(value[:2], -np.log([0.7, 0.1]) / 20, rtol=1e-12)
    np.testing.assert_allclose(np.diff(value[2:]), 20 * 0.6, rtol=1e-12)


def test_barrier_of_a_share_of_one_percent_is_a_line_of_slope_ten_everywhere():
    covered = torch.linspace(0.0, 0.9999, 50, dtype=torch.float64, requires_grad=True)
    log_barrier(1 - covered - 0.01, 10.0).sum().backward()
    np.testing.assert_allclose(covered.grad, -10.0)


def test_size_counts_the_whole_picture(region):
    maps = torch.randn(3, 8, 8)
    options = LossOptions(constraint="size", share=0.2, barrier=20.0)
    loss = constraint_loss(maps, region, options)
    assert loss == constraint_loss(maps, ~region, options)
    excess = 1 - special.expit(maps.numpy()).mean(axis=(1, 2)) - 0.2
    line = 20 * excess - np.log(1 / 400) / 20 + 1 / 20
    assert float(loss) == pytest.approx(line.mean(), rel=1e-5)
    assert constraint_loss(maps + 1, region, options) < loss


@pytest.mark.parametrize("kl_weight", [0.0, 10.0])
def test_both_scales_of_the_vae_loss(kl_weight):
    torch.manual_seed(0)
    pictures, logits = torch.rand(5, 8, 8), torch.randn(5, 8, 8)
    mean, log_var = torch.randn(5, 3), torch.randn(5, 3)
    coded = Coded(logits, mean, log_var, torch.zeros(5, 1, 4, 4))
    crossed = nn.functional.binary_cross_entropy(torch.sigmoid(logits), pictures)
    normal = torch.distributions.Normal
    divergence = torch.distributions.kl_divergence(normal(mean, torch.exp(log_var / 2)), normal(0.0, 1.0)).mean()
    averaged = vae_loss(coded, pictures, LossOptions(scale="mean", kl_weight=kl_weight))
    torch.testing.assert_close(averaged, crossed + kl_weight * divergence)
    summed = vae_loss(coded, pictures, LossOptions(scale="summed", kl_weight=kl_weight))
    torch.testing.assert_close(summed, crossed * 64 + kl_weight * divergence * 3)


@pytest.mark.parametrize("layout", ["2022", "2021"])
def test_grad_cam_equals_pytorch_grad_cam(layout):
    from pytorch_grad_cam import GradCAM

    class Means(nn.Module):
        """What pytorch-grad-cam can look at: pictures with a channel axis in, latent means out."""

        def __init__(self, vae):
            super().__init__()
            self.vae = vae

        def forward(self, pictures):
            return self.vae.look(pictures[:, 0])[0]

    torch.manual_seed(3)
    vae = ConstrainedVae(NetworkOptions(layout=layout, width=8, latent=5), 64).eval()
    pictures = torch.rand(3, 64, 64)
    with GradCAM(Means(vae), [vae.encoder.layer1]) as theirs:
        theirs(pictures[:, None], [torch.sum] * 3)
        activation, gradient = (
            part[0].numpy()
            for part in (theirs.activations_and_grads.activations, theirs.activations_and_grads.gradients)
        )
        expected = theirs.get_cam_image(None, vae.encoder.layer1, [torch.sum] * 3, activation, gradient)
    own = attention_map("grad-cam", *vae.look(pictures)).detach().numpy()
    assert expected.std() > 0.1 * np.abs(expected).max()
    np.testing.assert_allclose(own, expected, atol=1e-6 * np.abs(expected).max())


def test_activation_map_is_the_mean_of_channels():
    shallow = torch.rand(2, 6, 4, 4)
    torch.testing.assert_close(attention_map("activation", torch.zeros(2, 3), shallow), shallow.sum(dim=1) / 6)
