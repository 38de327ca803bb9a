"""What `ubench show RUN --case ID` draws of Sim2Real: the layers of the image, by the network of each stage."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from unseg_bench import Explanation, Image, Step, Volume

from .apart import answers, take_apart
from .layers import on_shared_scale, recomposition_error, residual
from .options import Sim2RealOptions
from .volumes import back, stretch

_TOP = 99.5


def explain_stages(options: Sim2RealOptions, networks: Sequence[nn.Module], volume: Volume) -> Explanation:
    """Return the input and, for each stage, restored normal, tumour layer, residual and mask, on the volume's grid."""
    if not volume.brain.any():
        return Explanation(volume, [Step("input", note="no brain")])
    one = stretch(volume, options.grid.size)
    top = float(np.percentile(one.image[one.brain], _TOP))

    def heat(image: Image) -> Image:
        return np.clip(back(image, volume, "linear") / np.float32(top), 0.0, 1.0) * volume.brain

    steps = [Step("input", heat=heat(one.image), note=f"{' x '.join(map(str, options.grid.size))} voxels")]
    for number, network in enumerate(networks):
        name = f"stage II, round {number}" if number else "stage I"
        outputs = take_apart(network, one, options.training.scale, mirror=options.answer.mirror)
        layers = on_shared_scale(outputs, one.image, one.brain, options.training.scale)
        answer = answers(outputs, volume, options.answer, options.training.scale)[options.answer.output]
        error = recomposition_error(layers, one.image, one.brain)
        left = residual(layers, one.image, one.brain)
        steps += [
            Step(f"{name}: restored normal", heat=heat(layers.normal)),
            Step(f"{name}: tumour layer", heat=heat(layers.tumour * layers.probability)),
            Step(f"{name}: residual", heat=heat(np.maximum(left, 0.0)), note="brighter than restored"),
            Step(f"{name}: answer", mask=answer, note=f"recomposition error {error:.3f} SD"),
        ]  # fmt: skip
    return Explanation(volume, steps)
