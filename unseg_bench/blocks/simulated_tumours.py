"""Simulated tumours: a noisy solid, filled with the changed texture of another brain, blended into a normal one.

After Zhang et al., IEEE JBHI 2023 (doi 10.1109/JBHI.2023.3240844), and its code (xiaoman-zhang/Layer-Decomposition);
the shape comes from Perez-Garcia et al., IJCARS 2021. Sizes are in ml and mm, so a grid changes nothing but the detail.
Where the published code differs: its noise repeats every 128 units, its donor's elastic grid spans the whole scan and
not the brain, it lays tumours out on the donor's grid, it casts layers to whole numbers, and it has 0 where the donor
has no brain (here the option `outside`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from unseg_bench.blocks.simulated_tumours_shape import brain_box, draw_centre, draw_mask, draw_shape
from unseg_bench.blocks.simulated_tumours_texture import draw_texture, sample_texture
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import DataError

Pair = TypeVar("Pair", tuple[float, float], tuple[int, int])


def _ordered(pair: Pair) -> Pair:
    if pair[0] > pair[1]:
        raise ValueError(f"{pair}: give the lower end first")
    return pair


Range: TypeAlias = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_ordered)]
"""Ends of a uniform draw, 0 or more."""
Positive: TypeAlias = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ordered)]
"""Ends of a uniform draw, above 0."""
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Shares: TypeAlias = Annotated[tuple[Share, Share], AfterValidator(_ordered)]
"""Ends of a uniform draw between 0 and 1."""
Octaves: TypeAlias = Annotated[tuple[PositiveInt, PositiveInt], AfterValidator(_ordered)]
"""Fewest and most octaves."""

_DARKEST_PERCENT = 0.5
_LEAST = 1e-6


class SimulatorOptions(BaseModel):
    """What is drawn for each tumour; the defaults are the published ones, uniform between two ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    volume_ml: Positive = Field((7.0, 200.0), description="Volume in ml before the noise and the brain's edge.")
    axis_ratio: Positive = Field((0.8, 1.0), description="Shortest to middle and middle to longest axis.")
    roughness: float = Field(0.5, ge=0, lt=1, description="Noise of the surface, as a share of the radius.")
    octaves: Octaves = Field((4, 7), description="Fewest and most octaves of the noise.")
    height: Shares = Field((0.3, 0.8), description="Centre: 0 the brain's lowest point, 1 its highest.")
    from_front: Shares = Field((0.2, 0.7), description="Centre: 0 the brain's front, 1 its back.")
    from_midline: Shares = Field((0.06, 0.26), description="Centre to either side, as a share of the brain's width.")
    elastic_mm: float = Field(
        7.5, ge=0, description="Largest shift of a control point of the donor, per axis; 0: none."
    )
    blur_mm: Range = Field((0.0, 2.0), description="SD of the donor's blur in mm, drawn for each axis; 0,0: none.")
    brightness: Positive | None = Field((1.0, 3.0), description="Mean of texture over mean of brain; None: as is.")
    opacity: Shares = Field((0.2, 0.8), description="Share of the texture in the blend (sigma).")
    outside: Literal["mean", "zero"] = Field("mean", description="The donor outside its brain; published: zero.")


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
