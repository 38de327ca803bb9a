import numpy as np
import pytest
import torch

from unseg_bench.blocks.layer_cam import CamFormula, layer_cam
from unseg_bench.errors import RunError


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    from torchvision.models import resnet50

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return resnet50(weights=None, num_classes=2).eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand((3, 3, 96, 128), generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "logit", "formula"),
    [
        ("layer3", 1, "layer-cam"),
        ("layer2", 0, "layer-cam"),
        ("layer4", 1, "layer-cam"),
        # These weights see nothing of class 1 with one weight a channel: a map that is flat would compare nothing.
        ("layer3", 0, "grad-cam"),
        ("layer4", 0, "grad-cam"),
    ],
)
def test_equals_pytorch_grad_cam(
    network: torch.nn.Module, images: torch.Tensor, layer: str, logit: int, formula: CamFormula
) -> None:
    from pytorch_grad_cam import GradCAM, LayerCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with {"layer-cam": LayerCAM, "grad-cam": GradCAM}[formula](network, [network.get_submodule(layer)]) as theirs:
        expected = theirs(images, [ClassifierOutputTarget(logit)] * len(images))
    cam, logits = layer_cam(network, images, layer, logit, formula)
    assert cam.shape == (3, 96, 128)
    assert expected.std() > 0.01
    np.testing.assert_allclose(cam.numpy(), expected, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(logits, network(images))


@pytest.mark.parametrize("formula", ["layer-cam", "as-printed", "grad-cam"])
def test_formulas_by_hand(formula: CamFormula) -> None:
    """Activation A = (1, 2, 4) x input in three channels; the logit's gradient by hand: 1 and 3 by halves, -2, 0.5."""
    convolution = torch.nn.Conv2d(1, 3, 1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1, 1))
    gradient = torch.stack([torch.full((4, 4), 1.0), torch.full((4, 4), -2.0), torch.full((4, 4), 0.5)])
    gradient[0, :, 2:] = 3.0

    class Head(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return (features * gradient).sum(dim=(1, 2, 3))[:, None]

    network = torch.nn.Sequential(convolution, Head())
    picture = torch.rand((1, 1, 4, 4), generator=torch.Generator().manual_seed(0)) + 0.5
    activation, mean = convolution(picture)[0].detach(), torch.tensor([2.0, -2.0, 0.5]).view(3, 1, 1)
    terms = {
        "layer-cam": gradient.clamp(min=0) * activation,
        "as-printed": mean * gradient.clamp(min=0),
        "grad-cam": mean * activation,
    }[formula]
    total = terms.sum(dim=0).clamp(min=0)
    expected = (total - total.min()) / (total.max() - total.min()) if total.max() > total.min() else torch.zeros(4, 4)
    torch.testing.assert_close(layer_cam(network, picture, "0", 0, formula)[0][0], expected)


def test_pictures_of_a_batch_do_not_touch_each_other(network: torch.nn.Module, images: torch.Tensor) -> None:
    together, _ = layer_cam(network, images, "layer3")
    alone, _ = layer_cam(network, images[1:2], "layer3")
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=0)


def test_leaves_no_hook_and_no_gradient(network: torch.nn.Module, images: torch.Tensor) -> None:
    network.zero_grad()
    with torch.no_grad():
        layer_cam(network, images[:1], "layer3")
    assert not network.get_submodule("layer3")._forward_hooks
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_layer_without_positions_is_refused(network: torch.nn.Module, images: torch.Tensor) -> None:
    with pytest.raises(RunError, match="'fc' has no feature map"):
        layer_cam(network, images[:1], "fc")


def test_a_map_that_is_flat_is_all_zero() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    torch.nn.init.zeros_(network[0].weight)
    torch.nn.init.constant_(network[0].bias, 3.0)
    assert not layer_cam(network, torch.rand(2, 1, 8, 8), "0")[0].any()
