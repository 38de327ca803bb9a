"""Layer-CAM: where in a picture a classifier sees what it names."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from unseg_bench.errors import RunError

CamFormula: TypeAlias = Literal["layer-cam", "as-printed", "grad-cam"]
"""What is summed over the channels of a layer, A their activation, G the logit's gradient, w a channel's mean of G:
ReLU(G) A (Layer-CAM); w ReLU(G), without the activation (CLISC's equation 2); w A (Grad-CAM)."""


def layer_cam(
    network: nn.Module, images: Tensor, layer: str, logit: int = 1, formula: CamFormula = "layer-cam"
) -> tuple[Tensor, Tensor]:
    """Class activation maps of a batch (N, C, H, W), and its logits: (N, H, W), each 0 ... 1 (all 0 where flat).

    `formula` says what is summed over the channels of `layer` (a name as `network.get_submodule` takes it), with the
    gradient of the given logit; of the sum the positive part is taken, and upsampled to the picture. `network` should
    be in evaluation mode, so that the pictures of a batch do not touch each other.
    Source: 'layer-cam' Jiang et al., "LayerCAM", 2021, eqs. 6-8, as CLISC's code runs it; 'as-printed' Ma et al., ISBI
    2025, eq. 2; 'grad-cam' Selvaraju et al., 2017. Raises RunError when the layer's output is no map.
    """
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept.append(output)

    hook = network.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = network(images)
            activation = kept[0]
            if activation.ndim != 4:
                raise RunError(
                    f"Layer-CAM: '{layer}' has no feature map (shape {tuple(activation.shape)}); name another"
                )
            (gradient,) = torch.autograd.grad(logits[:, logit].sum(), activation)
    finally:
        hook.remove()
    mean = gradient.mean(dim=(2, 3), keepdim=True)
    if formula == "layer-cam":
        terms = gradient.clamp(min=0) * activation.detach()
    else:
        terms = mean * (gradient.clamp(min=0) if formula == "as-printed" else activation.detach())
    weighted = terms.sum(dim=1, keepdim=True).clamp(min=0)
    upsampled = functional.interpolate(weighted, size=images.shape[-2:], mode="bilinear", align_corners=False)
    return min_max(upsampled[:, 0]), logits.detach()


def min_max(maps: Tensor) -> Tensor:
    """Scale each map of (N, H, W) to 0 ... 1; a flat map becomes all 0."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    span = maps.amax(dim=(1, 2), keepdim=True) - low
    return torch.where(span > 0, (maps - low) / span.clamp(min=torch.finfo(maps.dtype).tiny), torch.zeros_like(maps))
