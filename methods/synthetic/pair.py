"""Two networks of one architecture, trained on different heads from different beginnings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from unseg_bench import Image, Mask, Volume, WeightsError
from unseg_bench.blocks.tissue import standardise_by
from unseg_bench.blocks.unet.networks import predict_sliding
from unseg_bench.blocks.unet.options import MIRROR_AXES, Mirroring
from unseg_bench.blocks.unet.training import build_unet
from unseg_bench.blocks.weights import WeightsFile, check_keys, load_state_dict

from .look import Predict
from .options import NETWORK, SyntheticOptions

HALVES = ("first", "second")


@dataclass(frozen=True, slots=True)
class Pair:
    """The two networks, in evaluation mode."""

    networks: tuple[nn.Module, nn.Module]

    def probabilities(self, working: Volume, mirror: Mirroring) -> tuple[Image, Image]:
        """Each half's probability of tumour (X, Y, Z), 0 outside the brain, in one pass; `working` is at SPACING_MM."""
        image = standardise_by(working.image, working.brain, working.brain)
        first, second = (predict(network, image, mirror) * working.brain for network in self.networks)
        return first, second

    def asked(self, options: SyntheticOptions, brain: Mask) -> Predict:
        """The mean probability of the halves that `options.networks` names, as a function of a standardised image."""
        chosen = [
            network
            for half, network in zip(HALVES, self.networks, strict=True)
            if options.networks in (half, "both")
        ]  # fmt: skip

        def mean(image: Image) -> Image:
            total = sum(predict(network, image, options.mirror) for network in chosen)
            return np.asarray(total / np.float32(len(chosen)) * brain, np.float32)

        return mean


def predict(network: nn.Module, image: Image, mirror: Mirroring) -> Image:
    """Return a network's probability of tumour (X, Y, Z) for an image at SPACING_MM, averaged over its reflections."""
    return predict_sliding(network, image, None, mirror_axes=MIRROR_AXES[mirror])


def load_pair(file: WeightsFile, device: str) -> Pair:
    """Read both halves from one safetensors file; raises WeightsError where it does not fit."""
    state = load_state_dict(file)
    networks: list[nn.Module] = []
    for half in HALVES:
        own = {name.removeprefix(f"{half}."): value for name, value in state.items() if name.startswith(f"{half}.")}
        if not own:
            raise WeightsError(f"{file.path} has no network '{half}': give a file of scripts/train_synthetic.py.")
        network = build_unet(NETWORK)
        check_keys(network, {name: value.float() for name, value in own.items()}, file, "a half of `synthetic`")
        networks.append(network.to(device).eval())
    return Pair((networks[0], networks[1]))


def save_pair(path: Path, networks: Sequence[nn.Module]) -> None:
    """Write both halves' weights in half precision to one safetensors file that `load_pair` reads."""
    from safetensors.torch import save_file

    state = {
        f"{half}.{name}": value.detach().half().contiguous()
        for half, network in zip(HALVES, networks, strict=True)
        for name, value in network.state_dict().items()
    }
    save_file(state, path)
