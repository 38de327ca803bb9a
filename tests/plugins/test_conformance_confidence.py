"""The conformance kit on confidences: stated once a case, the same again, never while learning."""

from typing import ClassVar

import numpy as np
import pytest

from tests.plugins.test_conformance import Good, failed
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.explain import Explanation, Step
from unseg_bench.plugins.trial import make_volume


class States(Good):
    look_below: ClassVar = 0.6

    def segment(self, volume, context):
        mask = super().segment(volume, context)
        context.confidence(volume, mask.any() / 2, {"voxels": mask.sum()})
        return mask

    def explain(self, volume, context):
        return Explanation(volume, [Step("mask", mask=self.segment(volume, context))])


class StatesForSome(States):
    def segment(self, volume, context):
        return super().segment(volume, context) if volume.shape[2] > 16 else Good.segment(self, volume, context)


class StatesAnother(States):
    def segment(self, volume, context):
        context.confidence(volume, np.random.default_rng().random())
        return Good.segment(self, volume, context)


class StatesTwice(States):
    def segment(self, volume, context):
        context.confidence(volume, 0.5)
        return super().segment(volume, context)


class StatesOfAnother(States):
    def segment(self, volume, context):
        context.confidence(make_volume("test-x", volume.image.copy(), volume.brain.copy()), 0.5)
        return super().segment(volume, context)


class StatesTooMuch(States):
    def segment(self, volume, context):
        context.confidence(volume, 50)
        return Good.segment(self, volume, context)


class StatesWhileLearning(States):
    def fit(self, training, validation, context):
        super().fit(training, validation, context)
        context.confidence(next(iter(training)), 0.5)


class LooksBelowTwo(States):
    look_below: ClassVar = 2


class LooksBelowTrue(States):
    look_below: ClassVar = True


def test_confidences_may_be_stated():
    results = {result.name: result for result in check_method(States)}
    assert failed(results.values()) == {}
    assert results["confidence"].detail == "states 0.50 and 0.50"
    assert {result.name: result.detail for result in check_method(Good)}["confidence"] == "states none"


@pytest.mark.parametrize(
    ("method", "check", "message"),
    [
        (StatesForSome, "confidence", "states no confidence for test-odd"),
        (StatesAnother, "confidence", "when segmented again"),
        (StatesTwice, "segments", "has one already"),
        (StatesOfAnother, "segments", "for its own case"),
        (StatesTooMuch, "segments", "from 0 to 1 is needed, not 50"),
        (StatesWhileLearning, "segments", "inside `segment`"),
        (LooksBelowTwo, "declaration", "`look_below` must be a number from 0 to 1, or None, not 2"),
        (LooksBelowTrue, "declaration", "not True"),
    ],
)
def test_a_confidence_that_no_run_would_take_is_caught(method, check, message):
    assert message in failed(check_method(method))[check]
