"""How a method came to its answer for one case: what `ubench show RUN --case ID` draws, one picture a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from unseg_bench.data.volume import Image, Mask, Volume

Box: TypeAlias = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the axial picture (Y, X)."""

Point: TypeAlias = tuple[float, float, bool]
"""(x, y, whether it is foreground) in pixels of the axial picture (Y, X)."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step, on the grid of its explanation's volume.

    `heat`: (X, Y, Z) float, 0 ... 1, drawn as a colour map. `mask`: (X, Y, Z) bool, drawn as an outline. `boxes` and
    `points`: prompts by axial slice. `note`: one short line below the picture, such as a score.
    """

    title: str
    heat: Image | None = None
    mask: Mask | None = None
    boxes: Mapping[int, Sequence[Box]] = field(default_factory=dict[int, Sequence[Box]])
    points: Mapping[int, Sequence[Point]] = field(default_factory=dict[int, Sequence[Point]])
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The steps of one case in their order. `volume`: the case on the grid that the method works on."""

    volume: Volume
    steps: Sequence[Step]
