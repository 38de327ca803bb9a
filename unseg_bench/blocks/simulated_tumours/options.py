"""What is drawn for each simulated tumour."""

from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from unseg_bench.plugins.method import MethodOptions

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


class SimulatorOptions(MethodOptions):
    """What is drawn for each tumour; the defaults are the published ones, uniform between two ends."""

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
