"""ResNet-50 from torchvision, with checked weights and a head for as many classes as are wanted."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models import resnet50 as torchvision_resnet50

from unseg_bench.blocks.weights import WeightsFile, check_keys, load_state_dict, resolve

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_ALIASES = {"imagenet": "resnet50-imagenet-v1"}


def resnet50(weights: str | Path | None, classes: int, *, offline: bool = False) -> tuple[ResNet, WeightsFile | None]:
    """ResNet-50 with a linear head of `classes` outputs, and the file that its weights came from.

    `weights`: None (random), `"imagenet"` (torchvision's first weights), a known name of `ubench weights`, or a file in
    torchvision's format. A head of another number of classes in the file is left out, and the new one is random.
    Images are (N, 3, H, W) in 0-1, normalised by `IMAGENET_MEAN` and `IMAGENET_STD`. Raises WeightsError for a missing
    file, a wrong checksum and another architecture.
    """
    model = torchvision_resnet50(weights=None)
    file = None
    if weights is not None:
        file = resolve(_ALIASES.get(str(weights), weights), offline=offline)
        state = load_state_dict(file)
        model.fc = nn.Linear(model.fc.in_features, _classes_of(state, default=model.fc.out_features))
        check_keys(model, state, file, "ResNet-50")
    if model.fc.out_features != classes:
        model.fc = nn.Linear(model.fc.in_features, classes)
    return model, file


def normalise(pictures: Tensor) -> Tensor:
    """Grey pictures (N, H, W) in 0-1 -> (N, 3, H, W) as ImageNet's weights expect them."""
    mean = torch.tensor(IMAGENET_MEAN, device=pictures.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=pictures.device).view(1, 3, 1, 1)
    return (pictures[:, None] - mean) / std


def _classes_of(state: dict[str, Tensor], default: int) -> int:
    return int(state["fc.bias"].shape[0]) if "fc.bias" in state else default
