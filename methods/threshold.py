"""Label-free floors: a tumour is what is brighter than a threshold in FLAIR. Rules so simple that others must win."""

from collections.abc import Sequence

from pydantic import Field

from unseg_bench import CaseCounts, Context, Cost, Mask, Method, MethodOptions, Volume, hookimpl
from unseg_bench.blocks.bright import BrightRule, bright


class ThresholdOptions(MethodOptions):
    """Which rule, and its numbers.

    - `otsu`: above Otsu's threshold of the brain; `otsu3`: the brightest of Otsu's three classes, opening, largest
    - `z`: above `cut` standard deviations; `z-largest`: then opening and the largest component
    - `smooth-z`: Gaussian of `sigma_mm`, above `cut`, opening, largest component, holes filled
    - `smooth-mad`: the same with (x - median) / MAD, the median absolute deviation (not scaled to a normal's)
    - `two-pass`: as `smooth-z`, by mean and standard deviation of the tissue outside what `smooth-mad` finds
    - `steepest`: on a grid of 2.5 mm, of what is bright and has no bright mirror image, as far as the steepest edge

    The opening removes what is thinner than about 4 mm: a ball of 2 mm radius, at least the six neighbours.
    """

    rule: BrightRule = "steepest"
    cut: float | None = None
    """None: 1.5 for z, z-largest and two-pass, 1.25 for smooth-z, 2 for smooth-mad and steepest. Otsu's rules find
    their own."""
    sigma_mm: float = Field(2.0, ge=0)
    """Standard deviation of the Gaussian; the rules after z-largest read it."""


class Threshold(Method[ThresholdOptions]):
    """One threshold and a clean-up; nothing is learned."""

    name = "threshold"
    floor = True
    presets = {"paper": {}, "demo": {}}

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what the costliest rule takes: a second of a core per case."""
        return [Cost("segment", core_s=1.0 * counts.segmented)]

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Apply the rule inside the brain."""
        return bright(volume, self.options.rule, self.options.cut, self.options.sigma_mm)


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register the floors."""
    return [Threshold]
