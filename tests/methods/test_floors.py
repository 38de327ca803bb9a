"""The lowest floors: what they say, and what a score gives for it."""

import numpy as np
import pytest
from unseg_bench_methods.floors import Empty, WholeBrain

from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Volume
from unseg_bench.plugins.conformance import check_method


def a_volume():
    brain = np.zeros((4, 5, 6), bool)
    brain[1:3, 1:4, 2:5] = True
    return Volume("case", np.where(brain, np.float32(1), np.float32(0)), brain, (1.0, 1.0, 1.0), "digest")


def test_nothing_and_everything():
    volume = a_volume()
    assert Empty(Empty.Options()).segment(volume, context=None).sum() == 0
    everything = WholeBrain(WholeBrain.Options()).segment(volume, context=None)
    assert np.array_equal(everything, volume.brain)
    assert everything is not volume.brain


@pytest.mark.parametrize("method", [Empty, WholeBrain])
def test_they_are_label_free_floors_with_the_presets_of_every_cohort(method):
    assert method.floor
    assert method(method.Options()).supervision is Supervision.NONE
    assert set(method.presets) >= {"paper", "demo"}
    assert [result for result in check_method(method) if not result.passed] == []
