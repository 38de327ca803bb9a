"""Label-free floors: a tumour is what is brighter than a threshold in FLAIR. Rules so simple that others must win."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from unseg_bench.blocks.bright import BrightRule, bright
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method, MethodOptions


class ThresholdOptions(MethodOptions):
    """Which rule, and its numbers.

    - `otsu`: above Otsu's threshold of the brain; `otsu3`: the brightest of Otsu's three classes, opening, largest
    - `z`: above `cut` standard deviations; `z-largest`: then opening and the largest component
    - `smooth-z`: Gaussian of `sigma_mm`, above `cut`, opening, largest component, holes filled
    - `smooth-mad`: the same with (x - median) / MAD, the median absolute deviation (not scaled to a normal's)

    The opening removes what is thinner than about 4 mm: a ball of 2 mm radius, at least the six neighbours.
    """

    rule: BrightRule = "smooth-z"
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
        return bright(volume, self.options.rule, self.options.cut, self.options.sigma_mm)


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register the floors."""
    return [Threshold]
