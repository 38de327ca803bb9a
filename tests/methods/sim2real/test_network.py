"""The network and its loss: the published size, the five terms by hand, and which channel is which."""

import numpy as np
import pytest
import torch
from unseg_bench_methods.sim2real.network import (
    Targets,
    build_network,
    dice_loss,
    read_network,
    restoration_loss,
)
from unseg_bench_methods.sim2real.options import NetworkOptions

from unseg_bench.blocks.training import save_network


def test_the_published_network_has_19_07_million_parameters():
    network = build_network(NetworkOptions(norm="batch"))
    assert sum(p.numel() for p in network.parameters()) == 19_073_795
    first = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv3d)][:8]
    assert [(layer.in_channels, layer.out_channels) for layer in first] == [
        (1, 32), (32, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["unet3d", "half-grid"])
def test_three_outputs_on_the_grid_of_the_input(kind):
    network = build_network(NetworkOptions(kind=kind, base=1))
    assert network(torch.zeros(1, 1, 32, 48, 32)).shape == (1, 3, 32, 48, 32)


def test_batch_norm_takes_the_batch_as_it_is_also_when_asked(tmp_path):
    options = NetworkOptions(base=1, norm="batch")
    network = build_network(options, seed=1)
    save_network(tmp_path / "weights", network)
    images = torch.randn(2, 1, 16, 16, 16)
    trained = network.train()(images)
    assert network.eval()(images).equal(trained)
    assert read_network(tmp_path / "weights", options, "cpu")(images).equal(trained)
    single = network(images[:1])
    assert not torch.allclose(single, trained[:1], atol=1e-3)


def test_the_seed_decides_the_weights():
    one, same, other = (build_network(NetworkOptions(base=1), seed).state_dict() for seed in (1, 1, 2))
    assert all(one[name].equal(same[name]) for name in one)
    assert not all(one[name].equal(other[name]) for name in one)


def worked_example():
    """Two samples of 2 x 1 x 1 voxels; the tumour is the first voxel of the first one."""
    mask = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).reshape(2, 2, 1, 1)
    layers = torch.tensor([[[1.0, 2.0], [3.0, 0.0]], [[4.0, 5.0], [0.0, 0.0]]]).reshape(2, 2, 2, 1, 1)
    outputs = torch.zeros(2, 3, 2, 1, 1)
    return outputs, Targets(layers, mask, torch.ones(2, 1, 1, 1))


def test_the_five_terms_by_hand():
    outputs, targets = worked_example()
    # p = 1/2 everywhere: Dice 2 * 0.5 / (2 + 1); L1 12/4 and 3/4; inside the mask 1 and 3.
    expected = (1 - 1 / 3) + 12 / 4 + 3 / 4 + 1 + 3
    assert restoration_loss(outputs, targets).item() == pytest.approx(expected, abs=1e-6)


def test_slices_that_do_not_count_are_left_out():
    outputs, targets = worked_example()
    counted = torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1)
    # The second sample has one slice, which does not count.
    expected = (1 - 2 * 0.5 / (1 + 1)) + 3 / 2 + 3 / 2 + 1 + 3
    assert restoration_loss(outputs, targets._replace(counted=counted)).item() == pytest.approx(expected, abs=1e-6)


def test_a_batch_without_tumour_has_no_terms_inside_it():
    outputs, targets = worked_example()
    none = targets._replace(mask=torch.zeros_like(targets.mask), layers=torch.zeros_like(targets.layers))
    assert restoration_loss(outputs, none).item() == pytest.approx(1, abs=1e-6)


def test_dice_is_pooled_over_the_batch():
    mask = worked_example()[1].mask
    logits = torch.where(mask > 0, 30.0, -30.0)
    logits[1, 0] = 30.0
    assert dice_loss(logits, mask).item() == pytest.approx(1 - 2 / 3, abs=1e-6)


def test_the_right_outputs_have_no_loss_and_swapped_channels_have(samples):
    sample = samples[0]
    normal, tumour, mask = (torch.from_numpy(np.asarray(a, np.float32))[None] for a in
                            (sample.normal, sample.tumour, sample.mask))  # fmt: skip
    targets = Targets(torch.stack([normal, tumour], 1), mask, torch.ones(1, 1, 1, 24))
    right = torch.stack([normal, tumour, torch.where(mask > 0, 40.0, -40.0)], 1)
    assert restoration_loss(right, targets).item() < 1e-5
    for order in ([0, 2, 1], [1, 0, 2], [2, 1, 0]):
        assert restoration_loss(right[:, order], targets).item() > 0.5
