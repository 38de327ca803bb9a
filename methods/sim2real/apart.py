"""Taking an image apart with a trained network, and the answer in it."""

import numpy as np
import torch
from torch import Tensor, nn

from unseg_bench.blocks.components import largest_component
from unseg_bench.blocks.training import use_threads
from unseg_bench.data.volume import Image, Mask, Volume

from .layers import Outputs, network_input
from .network import MASK, NORMAL, TUMOUR
from .options import AnswerOptions
from .volumes import Brain, back


def take_apart(network: nn.Module, one: Brain, *, mirror: bool) -> Outputs:
    """Return the network's outputs for a brain; with `mirror`, the mean with those of its mirror image."""
    use_threads()
    image = torch.from_numpy(network_input(one.image, one.brain))[None, None]
    with torch.inference_mode():
        views = torch.cat([image, image.flip(2)]) if mirror else image
        found = network(views.to(next(network.parameters()).device)).float()
        found[:, MASK] = torch.sigmoid(found[:, MASK])
        whole: Tensor = (found[0] + found[1].flip(1)) / 2 if mirror else found[0]
    arrays = whole.cpu().numpy()
    return Outputs(normal=arrays[NORMAL], tumour=arrays[TUMOUR], probability=arrays[MASK])


def answers(outputs: Outputs, volume: Volume, options: AnswerOptions) -> dict[str, Mask]:
    """Return both answers on the volume's own grid, inside the brain: 'mask' and 'tumour-layer' (see the options)."""
    scores: dict[str, tuple[Image, float]] = {"mask": (outputs.probability, 0.5), "tumour-layer": (outputs.tumour, 0.0)}
    found: dict[str, Mask] = {}
    for name, (values, level) in scores.items():
        mask = (back(values, volume, options.back) > np.float32(level)) & volume.brain
        found[name] = largest_component(mask) if options.component == "largest" else mask
    return found
