"""Small brains, and samples simulated with them."""

import numpy as np
import pytest
from unseg_bench_methods.sim2real.options import SimulationOptions
from unseg_bench_methods.sim2real.samples import Mixing
from unseg_bench_methods.sim2real.volumes import stretch

from unseg_bench.plugins.trial import tiny_case

SIZE = (24, 24, 24)


@pytest.fixture(scope="session")
def brains():
    """Four normal ones."""
    return [stretch(tiny_case(str(seed), seed, tumour=False).volume, SIZE) for seed in range(4)]


@pytest.fixture(scope="session")
def mixing(brains):
    """The published simulator on these brains."""
    return Mixing(brains, brains, SimulationOptions())


@pytest.fixture(scope="session")
def samples(mixing):
    """Twelve simulated samples."""
    return [mixing.draw(np.random.default_rng(seed)) for seed in range(12)]
