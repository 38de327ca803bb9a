"""Scales of layers: what the network learns, and the one scale on which its layers are put together again.

An error of recomposition means something on one scale alone. Layers in a mean and deviation of their own do not add up
to the input any more: the better such a mask is, the larger the error, and the worst cases are kept. So errors are
taken of `Layers`, whose intensities are the input's, whatever the network was trained on.
"""

from dataclasses import dataclass

import numpy as np

from unseg_bench import Image, Mask

from .options import Scale
from .samples import Sample

_LEAST_DEVIATION = 1e-2
"""The authors' guard too."""


@dataclass(frozen=True, slots=True)
class Affine:
    """intensity = deviation * value + mean."""

    mean: float
    deviation: float

    def normalise(self, image: Image) -> Image:
        """From intensities to values."""
        return (image - np.float32(self.mean)) / np.float32(self.deviation)

    def restore(self, values: Image) -> Image:
        """From values to intensities."""
        return values * np.float32(self.deviation) + np.float32(self.mean)


def moments(image: Image, places: Mask) -> Affine:
    """Return mean and deviation of an image over some places; of none at all, 0 and 1."""
    if not places.any():
        return Affine(0.0, 1.0)
    inside = image[places]
    return Affine(float(inside.mean()), max(float(inside.std()), _LEAST_DEVIATION))


def network_input(image: Image, brain: Mask, scale: Scale) -> Image:
    """Z-score an image by its brain. The background is 0, and for layers on scales of their own -mean / deviation."""
    values = moments(image, brain).normalise(image)
    return values if scale == "separate" else np.where(brain, values, np.float32(0.0))


def learned_layers(sample: Sample, scale: Scale) -> Image:
    """Return what the network is to learn of a sample, (2, X, Y, Z): normal image and tumour layer, as `scale` says."""
    if scale == "separate":
        normal, tumour = moments(sample.normal, sample.brain), moments(sample.tumour, sample.mask)
        return np.stack([normal.normalise(sample.normal), tumour.normalise(sample.tumour)])
    shared = moments(sample.mixed, sample.brain)
    return np.stack([shared.normalise(sample.normal) * sample.brain, shared.normalise(sample.tumour) * sample.mask])


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What a network makes of an image, (X, Y, Z) each, the two layers in the values that it was trained on.

    `probability`: 0-1, of tumour. These have no error of recomposition: see `on_shared_scale`.
    """

    normal_values: Image
    tumour_values: Image
    probability: Image


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """The same with both layers in intensities of the image that was taken apart."""

    normal: Image
    tumour: Image
    probability: Image


def on_shared_scale(outputs: Outputs, image: Image, brain: Mask, scale: Scale) -> Layers:
    """Bring a network's layers to the intensities of its input.

    A layer on the shared scale is restored by the input's own mean and deviation. One on a scale of its own is known
    up to an affine map; that map is fitted, by least squares, to the input where the layer is the one that is seen: the
    normal image outside the mask, the tumour inside, each voxel as much as its probability says.
    """
    if scale == "shared":
        own = moments(image, brain)
        return Layers(own.restore(outputs.normal_values), own.restore(outputs.tumour_values), outputs.probability)
    inside = outputs.probability * brain
    normal, tumour = _fit(outputs.normal_values, image, brain - inside), _fit(outputs.tumour_values, image, inside)
    return Layers(normal.restore(outputs.normal_values), tumour.restore(outputs.tumour_values), outputs.probability)


def recomposition_error(layers: Layers, image: Image, brain: Mask) -> float:
    """Mean of |p * tumour + (1 - p) * normal - image| over the brain, in deviations of the image's brain.

    Source: the authors' reconstruction error, which is taken over the whole box and of z-scored layers.
    """
    recomposed = layers.probability * layers.tumour + (1.0 - layers.probability) * layers.normal
    return float(np.abs(recomposed - image)[brain].mean()) / moments(image, brain).deviation


def residual(layers: Layers, image: Image, brain: Mask) -> Image:
    """What the input has and the restored normal image has not, in deviations of the image's brain; 0 outside it."""
    return np.where(brain, (image - layers.normal) / np.float32(moments(image, brain).deviation), np.float32(0.0))


def _fit(values: Image, image: Image, weights: Image) -> Affine:
    """Weighted least squares of the image by the values; the slope is never negative, and 0 where nothing is known."""
    total = float(weights.sum())
    if total < 1.0:
        return Affine(0.0, 0.0)
    mean_value, mean_image = float((weights * values).sum()) / total, float((weights * image).sum()) / total
    centred = values - np.float32(mean_value)
    variance = float((weights * centred * centred).sum())
    slope = max(float((weights * centred * image).sum()) / variance, 0.0) if variance > 0 else 0.0
    return Affine(mean_image - slope * mean_value, slope)
