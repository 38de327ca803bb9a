"""The lowest floors: nothing is tumour, all of the brain is tumour. What they earn, a score gives for nothing."""

from unseg_bench import Context, Mask, Method, Volume, hookimpl


class Empty(Method):
    """Nothing is tumour."""

    name = "empty"
    floor = True
    presets = {"paper": {}, "demo": {}}

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return an empty mask."""
        return volume.empty_mask()


class WholeBrain(Method):
    """All of the brain is tumour."""

    name = "whole-brain"
    floor = True
    presets = {"paper": {}, "demo": {}}

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the brain."""
        return volume.brain.copy()


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register both."""
    return [Empty, WholeBrain]
