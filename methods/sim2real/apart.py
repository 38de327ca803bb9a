"""Taking an image apart with a trained network, and the answer in it."""

import numpy as np
import torch
from torch import Tensor, nn

from unseg_bench import Image, Mask, Volume
from unseg_bench.blocks.components import largest_component

from .layers import Outputs, network_input
from .network import MASK, NORMAL, TUMOUR
from .options import AnswerOptions, Scale
from .volumes import Brain, back


def take_apart(network: nn.Module, one: Brain, scale: Scale, *, mirror: bool) -> Outputs:
    """Return the network's outputs for a brain; with `mirror`, the mean with those of its mirror image."""
    image = torch.from_numpy(network_input(one.image, one.brain, scale))[None, None]
    with torch.inference_mode():
        views = torch.cat([image, image.flip(2)]) if mirror else image
        found = network(views.to(next(network.parameters()).device)).float()
        found = torch.cat([found[:, :MASK], torch.sigmoid(found[:, MASK:])], dim=1)
        whole: Tensor = (found[0] + found[1].flip(1)) / 2 if mirror else found[0]
    arrays = whole.cpu().numpy()
    return Outputs(normal_values=arrays[NORMAL], tumour_values=arrays[TUMOUR], probability=arrays[MASK])


def answers(outputs: Outputs, volume: Volume, options: AnswerOptions, scale: Scale) -> dict[str, Mask]:
    """Return the answers by name, on the volume's own grid and inside the brain: see `AnswerOptions.output`."""
    scores: dict[str, tuple[Image, float]] = {"mask": (outputs.probability, 0.5)}
    if scale == "separate":
        scores["tumour-layer"] = outputs.tumour_values, 0.0
    found: dict[str, Mask] = {}
    for name, (values, level) in scores.items():
        mask = (back(values, volume, options.back) > np.float32(level)) & volume.brain
        found[name] = largest_component(mask) if options.component == "largest" else mask
    return found
