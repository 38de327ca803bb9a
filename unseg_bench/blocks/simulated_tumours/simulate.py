"""Simulated tumours: a noisy solid, filled with the changed texture of another brain, blended into a normal one.

After Zhang et al., IEEE JBHI 2023 (doi 10.1109/JBHI.2023.3240844), and its code (xiaoman-zhang/Layer-Decomposition);
the shape comes from Perez-Garcia et al., IJCARS 2021. Sizes are in ml and mm, so a grid changes nothing but the detail.
Where the published code differs: its noise repeats every 128 units, its donor's elastic grid spans the whole scan and
not the brain, it lays tumours out on the donor's grid, it casts layers to whole numbers, and it has 0 where the donor
has no brain (here the option `outside`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unseg_bench.blocks.simulated_tumours.options import SimulatorOptions
from unseg_bench.blocks.simulated_tumours.shape import brain_box, draw_centre, draw_mask, draw_shape
from unseg_bench.blocks.simulated_tumours.texture import draw_texture, sample_texture
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import DataError

_DARKEST_PERCENT = 0.5
_LEAST = 1e-6


@dataclass(frozen=True, eq=False, slots=True)
class Simulated:
    """A brain with a simulated tumour and its layers: mixed = mask * tumour + (1 - mask) * normal.

    `mixed`, `normal`, `tumour`: raw-like intensities, (X, Y, Z) float32; `tumour` is the blend inside the mask, 0
    outside. `mask`: bool, inside the brain, never empty. `sigma`: opacity; `brightness`: mean of the unblended
    texture over the mean of the normal brain (0: a donor without anything there, only where `outside` is zero).
    """

    mixed: Image
    normal: Image
    tumour: Image
    mask: Mask
    sigma: float
    brightness: float


def simulate(
    rng: np.random.Generator,
    normal: Image,
    brain: Mask,
    donor: Image,
    donor_brain: Mask,
    spacing_mm: tuple[float, float, float],
    options: SimulatorOptions,
    allowed: Mask | None = None,
) -> Simulated:
    """Put one tumour into `normal`; a pure function of the generator's state and the arguments.

    `normal`, `donor`: positive intensities (see `to_positive`), (X, Y, Z), x to the left, y to the back, z to the top;
    the donor may have another shape. `spacing_mm`: of the normal. `allowed`: where the centre may lie (the tumour may
    reach beyond). Raises DataError for an empty brain, an `allowed` without brain, shapes that differ, or
    intensities that are not positive.
    """
    _check(normal, brain, donor, donor_brain, allowed)
    spacing = np.array(spacing_mm, np.float64)
    box, donor_box = brain_box(brain), brain_box(donor_brain)
    shape = draw_shape(rng, options)
    centre_mm = draw_centre(rng, options, box, brain if allowed is None else brain & allowed, spacing)
    texture = draw_texture(rng, options)
    wanted = None if options.brightness is None else float(rng.uniform(*options.brightness))
    sigma = float(rng.uniform(*options.opacity))
    window, mask = draw_mask(shape, centre_mm, brain, spacing)
    outside = 0.0 if options.outside == "zero" else _mean_of(donor, donor_brain)
    layer = sample_texture(texture, window, box, spacing, donor, donor_brain, donor_box, outside)
    seen = mask & (layer != 0)
    brightness = _mean_of(layer, seen) / max(_mean_of(normal, brain), _LEAST)
    # With `outside` zero a donor may have nothing there at all: the tumour is then a dark hole, as published.
    if wanted is not None and seen.any():
        if not brightness > _LEAST:
            raise DataError("The donor is dark where the tumour lies: give positive intensities (see to_positive).")
        layer *= np.float32(wanted / brightness)
        brightness = wanted
    return _blend(normal, window, mask, layer, sigma, brightness)


def to_positive(image: Image, brain: Mask) -> tuple[Image, float]:
    """Shift a z-scored image so that the brain's darkest half per cent ends at 0: like a scanner's units; 0 outside.

    Brightness is a ratio, and a ratio to a mean of 0 says nothing. Returns the image and the shift in SDs. Nothing is
    clipped, so `from_positive` leads back. Raises DataError for an empty brain.
    """
    if not brain.any():
        raise DataError("The brain is empty: intensities cannot be shifted to its darkest part.")
    shift = -float(np.percentile(image[brain], _DARKEST_PERCENT))
    return np.where(brain, image + np.float32(shift), np.float32(0)), shift


def from_positive(image: Image, brain: Mask, shift: float) -> Image:
    """Return an image of `to_positive` (or a mixture of such) to z-scores of the brain it came from; 0 outside."""
    return np.where(brain, image - np.float32(shift), np.float32(0))


def _mean_of(image: Image, mask: Mask) -> float:
    return float(image[mask].mean(dtype=np.float64)) if mask.any() else 0.0


def _blend(
    normal: Image, window: tuple[slice, slice, slice], mask: Mask, layer: Image, sigma: float, brightness: float
) -> Simulated:
    mixed, tumour, whole = normal.copy(), np.zeros_like(normal), np.zeros(normal.shape, np.bool_)
    part = mixed[window]
    part[mask] = np.float32(sigma) * layer[mask] + np.float32(1 - sigma) * part[mask]
    tumour[window][mask] = part[mask]
    whole[window] = mask
    return Simulated(mixed, normal, tumour, whole, sigma, brightness)


def _check(normal: Image, brain: Mask, donor: Image, donor_brain: Mask, allowed: Mask | None) -> None:
    pairs = [(normal, brain, "normal and its brain"), (donor, donor_brain, "donor and its brain")]
    if allowed is not None:
        pairs.append((normal, allowed, "normal and `allowed`"))
    for image, mask, names in pairs:
        if image.shape != mask.shape:
            raise DataError(f"Simulated tumours: shapes of {names} differ: {image.shape} and {mask.shape}.")
