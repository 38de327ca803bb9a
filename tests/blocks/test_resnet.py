"""ResNet-50: torchvision's own weights format, checked, with a head of one's own."""

import pytest
import torch
from torchvision.models import resnet50 as torchvision_resnet50

from unseg_bench.blocks.resnet import normalise, resnet50
from unseg_bench.errors import WeightsError


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A ResNet-50 of torchvision with random weights, and its file."""
    torch.manual_seed(0)
    model = torchvision_resnet50(weights=None).eval()
    path = tmp_path_factory.mktemp("resnet") / "random.pth"
    torch.save(model.state_dict(), path)
    return model, path


def test_features_are_those_of_the_file_and_the_head_is_new(checkpoint):
    reference, path = checkpoint
    model, file = resnet50(path, 2)
    assert file.path == path
    model.eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert model(image).shape == (1, 2)
        model.fc = reference.fc
        torch.testing.assert_close(model(image), reference(image))


def test_a_head_of_the_right_size_is_kept(checkpoint):
    reference, path = checkpoint
    assert torch.equal(resnet50(path, 1000)[0].fc.weight, reference.fc.weight)


def test_without_weights_nothing_is_read():
    model, file = resnet50(None, 3)
    assert file is None
    assert model.fc.out_features == 3


def test_offline_says_which_file_belongs_where():
    with pytest.raises(WeightsError, match=r"download\.pytorch\.org/models/resnet50-0676ba61\.pth"):
        resnet50("imagenet", 2, offline=True)


def test_another_architecture_is_refused(tmp_path):
    path = tmp_path / "line.pth"
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(WeightsError, match="does not hold weights of ResNet-50"):
        resnet50(path, 2)


def test_normalising_takes_imagenets_mean_to_zero():
    grey = torch.full((1, 2, 2), 0.456)
    assert normalise(grey)[0, 1].abs().max() < 1e-6
    assert normalise(grey).shape == (1, 3, 2, 2)
