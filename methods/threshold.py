"""Label-free floors: a tumour is what is brighter than a threshold in FLAIR. Rules so simple that others must win."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from unseg_bench.blocks.otsu import otsu
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method, MethodOptions

Rule = Literal["otsu", "otsu3", "z", "z-largest", "smooth-z", "smooth-mad"]

_DEFAULT_CUT: dict[str, float] = {"z": 1.5, "z-largest": 1.5, "smooth-z": 1.25, "smooth-mad": 2.0}
_OPENING_MM = 2.0


class ThresholdOptions(MethodOptions):
    """Which rule, and its numbers.

    - `otsu`: above Otsu's threshold of the brain; `otsu3`: the brightest of Otsu's three classes, opening, largest
    - `z`: above `cut` standard deviations; `z-largest`: then opening and the largest component
    - `smooth-z`: Gaussian of `sigma_mm`, above `cut`, opening, largest component, holes filled
    - `smooth-mad`: the same with (x - median) / MAD, the median absolute deviation (not scaled to a normal's)

    The opening removes what is thinner than about 4 mm: a ball of 2 mm radius, at least the six neighbours.
    """

    rule: Rule = "smooth-z"
    cut: float | None = None
    """None: 1.5 for z and z-largest, 1.25 for smooth-z, 2 for smooth-mad. Otsu's rules find their own."""
    sigma_mm: float = Field(2.0, ge=0)
    """Standard deviation of the Gaussian; only the smooth rules read it."""


class Threshold(Method):
    """One threshold and a clean-up; nothing is learned."""

    name = "threshold"
    supervision = Supervision.NONE
    floor = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "demo": {}}
    Options = ThresholdOptions
    options: ThresholdOptions

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Apply the rule inside the brain."""
        if not volume.brain.any():
            return volume.empty_mask()
        bright = self._bright(volume)
        if self.options.rule in ("otsu", "z"):
            return bright
        return _clean(bright, volume.spacing_mm, fill=self.options.rule.startswith("smooth"))

    def _bright(self, volume: Volume) -> Mask:
        """Return the brain's voxels above the rule's threshold."""
        rule, cut = self.options.rule, self.options.cut
        if rule in ("otsu", "otsu3"):
            return volume.brain & (volume.image > otsu(volume.image[volume.brain], 2 if rule == "otsu" else 3))
        image = volume.image
        if rule.startswith("smooth"):
            from unseg_bench.blocks.smoothing import smooth_inside

            image = smooth_inside(image, volume.brain, self.options.sigma_mm, volume.spacing_mm)
        level = _DEFAULT_CUT[rule] if cut is None else cut
        return volume.brain & (_standardised(image, volume.brain, robust=rule == "smooth-mad") > level)


def _standardised(image: Image, brain: Mask, *, robust: bool) -> Image:
    """Return `image` as it is (it is z-scored), or as distance from the brain's median in MADs."""
    if not robust:
        return image
    inside = image[brain]
    median = np.median(inside)
    deviation = max(float(np.median(np.abs(inside - median))), float(np.finfo(np.float32).tiny))
    return (image - median) / np.float32(deviation)


def _clean(mask: Mask, spacing_mm: tuple[float, float, float], *, fill: bool) -> Mask:
    """Open, keep the largest component (26 neighbours), fill holes where asked."""
    from scipy import ndimage

    from unseg_bench.blocks.components import fill_holes, largest_component

    opened = np.asarray(ndimage.binary_opening(mask, ball(_OPENING_MM, spacing_mm)), dtype=np.bool_)
    largest = largest_component(opened)
    return fill_holes(largest) if fill else largest


def ball(radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Return the voxels within `radius_mm` of a voxel, and its six neighbours in any case."""
    reach = [max(1, int(radius_mm / size + 1e-6)) for size in spacing_mm]
    grid = np.ogrid[tuple(slice(-n, n + 1) for n in reach)]
    within = sum((axis * size) ** 2 for axis, size in zip(grid, spacing_mm, strict=True)) <= radius_mm**2 + 1e-6
    steps = sum(np.abs(axis) for axis in grid) <= 1
    return np.asarray(within | steps, dtype=np.bool_)


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register the floors."""
    return [Threshold]
