import pytest
import torch
from torch.nn import functional
from torchvision.transforms.v2.functional import normalize

from unseg_bench.blocks.classifier import build_classifier, network_input
from unseg_bench.blocks.layer_cam import layer_cam
from unseg_bench.blocks.training import seeded_torch


def test_small_network_keeps_fine_maps() -> None:
    network = build_classifier("small-resnet", width=8, classes=2)
    shapes = {}
    for name in ("layer1", "layer2", "layer3"):
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: shapes.update({name: tuple(output.shape)})
        )
    assert network(torch.zeros(2, 3, 80, 80)).shape == (2, 2)
    assert shapes == {"layer1": (2, 8, 40, 40), "layer2": (2, 16, 20, 20), "layer3": (2, 32, 20, 20)}


def test_resnet50_has_two_outputs_and_the_layers_of_its_name() -> None:
    network = build_classifier("resnet50").eval()
    assert network.get_submodule("fc").out_features == 2
    assert network.get_submodule("layer3")[0].conv1.in_channels == 512


def test_weights_come_from_the_seed() -> None:
    def weights(seed: int) -> torch.Tensor:
        with seeded_torch(seed):
            return build_classifier("small-resnet").fc.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_input_is_normalised_as_torchvision_does() -> None:
    pictures = torch.randint(0, 256, (2, 8, 9)).float()
    expected = normalize((pictures / 255)[:, None].repeat(1, 3, 1, 1), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(network_input(pictures), expected)
    torch.testing.assert_close(network_input(pictures, "unit"), (pictures / 255)[:, None].repeat(1, 3, 1, 1))


def test_it_learns_where_a_bright_square_is() -> None:
    rng = torch.Generator().manual_seed(0)
    pictures = torch.rand((48, 40, 40), generator=rng) * 120
    labels = torch.arange(48) % 2
    pictures[labels == 1, 8:16, 20:32] += 120
    with seeded_torch(0):
        network = build_classifier("small-resnet", width=8).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(15):
        optimizer.zero_grad()
        functional.cross_entropy(network(network_input(pictures)), labels).backward()
        optimizer.step()
    cam = layer_cam(network.eval(), network_input(pictures[labels == 1]), "layer3")[0].mean(0)
    inside = cam[8:16, 20:32].mean()
    assert inside > 3 * cam.mean()
    assert network(network_input(pictures)).argmax(1).eq(labels).float().mean() == pytest.approx(1.0)
