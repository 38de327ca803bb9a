"""How a method came to its answer for one case: what `ubench show RUN --case ID` draws, one picture a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import PluginError

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


def checked(explanation: object, volume: Volume, name: str) -> Explanation:
    """Return the explanation of a volume by the method `name` if it can be drawn; raises PluginError saying why not."""
    if not isinstance(explanation, Explanation) or not explanation.steps:
        raise PluginError(f"{name}.explain must return an Explanation with steps, or None")
    grid = explanation.volume
    for own, given, size, other in zip(grid.spacing_mm, volume.spacing_mm, grid.shape, volume.shape, strict=True):
        if abs(own * size - given * other) > max(own, given):
            raise PluginError(
                f"{name}.explain: its volume of {grid.shape} voxels of {grid.spacing_mm} mm does not cover the same "
                f"space as the case's, {volume.shape} of {volume.spacing_mm} mm"
            )
    for step in explanation.steps:
        if (wrong := _fault(step, grid.shape)) is not None:
            raise PluginError(f"{name}.explain, step '{step.title}': {wrong}")
    return explanation


def _fault(step: Step, shape: tuple[int, int, int]) -> str | None:
    """Say what of a step cannot be drawn on a grid of this shape."""
    for what, array in (("heat", step.heat), ("mask", step.mask)):
        if array is not None and array.shape != shape:
            return f"its {what} has the shape {array.shape}, its volume {shape}"
    if step.mask is not None and step.mask.dtype != np.bool_:
        return f"its mask is {step.mask.dtype}, not bool"
    if step.heat is not None and not ((step.heat >= 0) & (step.heat <= 1)).all():
        return "its heat is not within 0 and 1 everywhere"
    slices = [*step.boxes, *step.points]
    if any(not 0 <= index < shape[2] for index in slices):
        return f"it has prompts in slices {sorted(slices)}, its volume has {shape[2]}"
    return None
