"""All other methods at full size, and those that are registered later: they run as they are."""

import pytest

from tests.full_size.conftest import Run
from tests.full_size.presets import others

LOWERED = {("synthetic", "adapted"): ["adaptation.steps=1"]}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "preset"), others())
def test_other_methods(run: Run, method: str, preset: str) -> None:
    run(method, preset, *LOWERED.get((method, preset), []), peak_gb=2.5)
