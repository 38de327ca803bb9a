"""Slice classifiers whose inner layers Layer-CAM can look at: torchvision's ResNet-50, and a small network."""

from typing import Literal, TypeAlias

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from unseg_bench.blocks.resnet import normalise, resnet50

ClassifierName: TypeAlias = Literal["resnet50", "small-resnet"]
HeadName: TypeAlias = Literal["linear", "mlp"]
"""What makes logits of the averaged features: one layer, or two with 256 units and dropout 0.5 between them."""

InputRange: TypeAlias = Literal["imagenet", "unit"]
"""What greys become: ImageNet's mean is taken off and its deviation divided by, as when the weights were trained; or
just 0 to 1 (CLISC's code)."""


def build_classifier(
    name: ClassifierName,
    *,
    weights: str | None = None,
    offline: bool = False,
    width: int = 16,
    classes: int = 2,
    head: HeadName = "linear",
) -> nn.Module:
    """Return a network (N, 3, S, S) -> logits (N, classes) with the layers 'layer1', 'layer2', 'layer3'.

    'resnet50': `weights` as `resnet.resnet50` takes them, None draws random ones. 'small-resnet' has `width` channels
    first and no pretrained weights. What is drawn comes from torch's global generator: see `training.seeded_torch`.
    """
    network = resnet50(weights, classes, offline=offline)[0] if name == "resnet50" else SmallResNet(width, classes)
    if head == "mlp":
        features = network.fc.in_features
        network.set_submodule(
            "fc", nn.Sequential(nn.Linear(features, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, classes))
        )
    return network


def network_input(pictures: Tensor, values: InputRange = "imagenet") -> Tensor:
    """Grey pictures of 0 ... 255, (N, S, S), as a network is shown them, (N, 3, S, S); see `InputRange`."""
    scaled = pictures / 255.0
    return normalise(scaled) if values == "imagenet" else scaled[:, None].expand(-1, 3, -1, -1)


class SmallResNet(nn.Module):
    """torchvision's residual blocks in small: strides 2, 2, 4 and 4, so that the last maps stay fine enough for CAMs.

    (N, 3, S, S) -> (N, classes); `layer1` to `layer3` give (N, width * 1, 2, 4; S/2, S/4, S/4).
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.layer1 = _block(width, width, stride=1)
        self.layer2 = _block(width, width * 2, stride=2)
        self.layer3 = _block(width * 2, width * 4, stride=1)
        self.fc = nn.Linear(width * 4, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = self.layer3(self.layer2(self.layer1(self.stem(images))))
        return self.fc(features.mean(dim=(2, 3)))


def _block(inside: int, outside: int, stride: int) -> BasicBlock:
    if stride == 1 and inside == outside:
        return BasicBlock(inside, outside)
    shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride=stride, bias=False), nn.BatchNorm2d(outside))
    return BasicBlock(inside, outside, stride, shortcut)
