"""The upper bound at full size: one step of two patches of 128^3, then every window of a case."""

import pytest

from tests.full_size.conftest import Run
from tests.full_size.presets import presets_of

PATCHES = {(2, 1, 128, 128, 128)}
"""Of a step, and of the two windows that cover the small brain."""
LOWERED = {
    # One prediction a window in place of eight mirrored ones, which only take eight times as long.
    "nnunet": ["inference.mirror=none"],
}
NETWORKS = {"paper": ("UNet3d", 5_646_402, 8), "nnunet": ("DynUNet3d", 31_190_312, 13)}
"""Preset -> network, its parameters, and the most GB of memory."""


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets_of("supervised-unet"))
def test_supervised_unet(run: Run, preset: str) -> None:
    network, parameters, peak_gb = NETWORKS[preset]
    done = run("supervised-unet", preset, "unet.steps=1", *LOWERED.get(preset, []), peak_gb=peak_gb)
    assert done.inputs(network) == PATCHES
    assert done.parameters(network) == parameters
