"""The lowest floors: nothing is tumour, all of the brain is tumour. What they earn, a score gives for nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar

from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method


class Empty(Method):
    """Nothing is tumour."""

    name = "empty"
    supervision = Supervision.NONE
    floor = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "demo": {}}

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return an empty mask."""
        return volume.empty_mask()


class WholeBrain(Method):
    """All of the brain is tumour."""

    name = "whole-brain"
    supervision = Supervision.NONE
    floor = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "demo": {}}

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the brain."""
        return volume.brain.copy()


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register both."""
    return [Empty, WholeBrain]
