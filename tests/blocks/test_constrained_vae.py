"""The networks of AMCons and GradCAMCons against torchvision's ResNet-18 and the published code's numbers."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from unseg_bench.blocks.constrained_vae.losses import attention_map
from unseg_bench.blocks.constrained_vae.network import ConstrainedVae, Encoder
from unseg_bench.blocks.constrained_vae.options import LossOptions, NetworkOptions
from unseg_bench.blocks.constrained_vae.training import loss_of

SMALL = NetworkOptions(width=4, latent=3)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def bare(layout: str, size: int) -> ConstrainedVae:
    with torch.device("meta"):
        return ConstrainedVae(NetworkOptions(layout=layout), size)


def small(layout: str, seed: int = 0) -> ConstrainedVae:
    torch.manual_seed(seed)
    return ConstrainedVae(SMALL.model_copy(update={"layout": layout}), 32)


@pytest.mark.parametrize(("size", "millions"), [(224, 20.27), (128, 14.83), (64, 12.86)])
def test_parameters_of_2022(size, millions):
    assert round(parameters(bare("2022", size)) / 1e6, 2) == millions


def test_parts_of_2022():
    network = bare("2022", 224)
    parts = (network.encoder, nn.ModuleList([network.mean, network.log_var]), network.decoder)
    assert [round(parameters(part) / 1e6, 2) for part in parts] == [11.17, 6.42, 2.68]


def test_parts_of_2021():
    network = bare("2021", 224)
    assert parameters(network.encoder) == parameters(bare("2022", 224).encoder)
    assert network.mean.in_features == 512 * 7**2
    blocks = [(32, 256), (256, 128), (128, 64), (64, 32), (32, 16)]
    by_hand = (32 + 1) * 32 * 7**2 + sum((2 * i * 9 + o * 9 + 3) * o + 4 * o for i, o in blocks) + 16 * 9 + 1
    assert parameters(network.decoder) == by_hand


@pytest.mark.parametrize(("layout", "shallow"), [("2022", 112), ("2021", 56)])
def test_map_is_of_the_first_stage(layout, shallow):
    with torch.device("meta"):
        coded = bare(layout, 224)(torch.zeros(2, 224, 224))
    assert coded.shallow.shape == (2, 64, shallow, shallow)
    assert coded.logits.shape == (2, 224, 224)
    assert coded.mean.shape == coded.log_var.shape == (2, 32)


@pytest.mark.parametrize("pooled", [False, True])
def test_encoder_is_resnet_18_without_its_norm_and_relu(pooled):
    torch.manual_seed(1)
    theirs, ours = resnet18(weights=None).eval(), Encoder(64, pooled=pooled).eval()
    own = {name: values for name, values in theirs.state_dict().items() if name.startswith("layer")}
    assert ours.load_state_dict(own, strict=False) == (["first.weight"], [])
    pictures = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        start = nn.functional.conv2d(pictures, ours.first.weight, stride=2, padding=3)
        assert start.min() < 0
        shallow = theirs.layer1(theirs.maxpool(start) if pooled else start)
        deep = theirs.layer4(theirs.layer3(theirs.layer2(shallow)))
        for one, other in zip(ours(pictures), (shallow, deep), strict=True):
            torch.testing.assert_close(one, other)


def test_latent_vector_is_drawn_in_training_alone():
    network, pictures = small("2022"), torch.rand(4, 32, 32)
    assert not torch.equal(network(pictures).logits, network(pictures).logits)
    network.eval()
    assert torch.equal(network(pictures).logits, network(pictures).logits)


@pytest.mark.parametrize("layout", ["2022", "2021"])
@pytest.mark.parametrize("scale", ["summed", "mean"])
@pytest.mark.parametrize(("kind", "constraint"), [("activation", "entropy"), ("grad-cam", "size")])
def test_loss_of_a_batch_twice_is_that_of_the_batch(monkeypatch, layout, scale, kind, constraint):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    options = LossOptions(scale=scale, constraint=constraint, constraint_weight=3.0)
    network, pictures = small(layout).double(), (255 * torch.rand(4, 32, 32)).byte()
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    region = torch.zeros(32, 32, dtype=torch.bool)
    region[4:28, 6:20] = True
    once = loss_of(kind, options)(network, (pictures, region))
    twice = loss_of(kind, options)(network, (torch.cat([pictures, pictures]), region))
    torch.testing.assert_close(once, twice, rtol=1e-9, atol=0)
    alone = loss_of(kind, options)(network, (pictures,))
    assert (alone - once).abs() > 1e-3


@pytest.mark.parametrize("layout", ["2022", "2021"])
def test_latent_weights_decide_the_grad_cam_and_not_the_activation(layout):
    network, pictures = small(layout).eval(), torch.rand(3, 32, 32)

    def maps() -> list[torch.Tensor]:
        mean, shallow = network.look(pictures)
        return [attention_map(kind, mean, shallow).detach() for kind in ("activation", "grad-cam")]

    before = maps()
    with torch.no_grad():
        channels = network.mean.weight.unflatten(1, (8 * SMALL.width, -1))
        network.mean.weight.copy_(channels[:, torch.randperm(8 * SMALL.width)].flatten(start_dim=1))
    after = maps()
    assert torch.equal(before[0], after[0])
    assert (before[1] - after[1]).abs().max() > 0.1 * before[1].abs().max()


@pytest.mark.parametrize(
    ("kind", "constraint", "reached"), [("activation", "entropy", False), ("grad-cam", "size", True)]
)
def test_what_a_constraint_reaches(kind, constraint, reached):
    torch.manual_seed(0)
    network = small("2022")
    batch = ((255 * torch.rand(4, 32, 32)).byte(), torch.ones(32, 32, dtype=torch.bool))
    gradients = []
    for weight in (0.0, 1.0):
        torch.manual_seed(5)
        network.zero_grad()
        loss_of(kind, LossOptions(constraint=constraint, constraint_weight=weight))(network, batch).backward()
        gradients.append((network.mean.weight.grad.clone(), network.encoder.first.weight.grad.clone()))
    (head, first), (constrained_head, constrained_first) = gradients
    assert torch.allclose(head, constrained_head, atol=1e-7) is not reached
    assert not torch.allclose(first, constrained_first, atol=1e-7)


@pytest.mark.parametrize("kind", ["activation", "grad-cam"])
def test_bright_square_raises_the_map_of_a_positive_encoder(kind):
    network = small("2022").eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    pictures = torch.full((1, 32, 32), 0.2)
    pictures[:, 8:16, 8:16] = 1.0
    mean, shallow = network.look(pictures)
    scores = attention_map(kind, mean, shallow).detach()[0]
    assert scores[4:8, 4:8].mean() > 2 * scores[10:14, 10:14].mean() > 0
