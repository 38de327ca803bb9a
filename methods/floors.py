"""The lowest floors: nothing is tumour, all of the brain is tumour. What they earn, a score gives for nothing."""

from collections.abc import Sequence

from unseg_bench import CaseCounts, Context, Cost, Mask, Method, Volume, hookimpl


class Empty(Method):
    """Nothing is tumour."""

    name = "empty"
    floor = True
    presets = {"paper": {}, "demo": {}}

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return a tenth of a second of a core per case: a volume is read, a mask written."""
        return [Cost("segment", core_s=0.1 * counts.segmented)]

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return an empty mask."""
        return volume.empty_mask()


class WholeBrain(Method):
    """All of the brain is tumour."""

    name = "whole-brain"
    floor = True
    presets = {"paper": {}, "demo": {}}

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return a tenth of a second of a core per case: a volume is read, a mask written."""
        return [Cost("segment", core_s=0.1 * counts.segmented)]

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the brain."""
        return volume.brain.copy()


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register both."""
    return [Empty, WholeBrain]
