"""The kit's check of `explain`: what it returns can be drawn, and the answer stays what it was."""

import re

import numpy as np
import pytest

from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.context import stage
from unseg_bench.plugins.explain import Explanation, Step
from unseg_bench.plugins.method import Method


@stage("case-heat", seeded=False)
def heat_of_case(work, *, case):
    np.save(work.folder / "heat.npy", [0.5])


class Explains(Method):
    """Its explanation has a stage of its own, which is no part of a run."""

    name = "explains"
    level = 1.5

    def segment(self, volume, context):
        return (volume.image > self.level) & volume.brain

    def explain(self, volume, context):
        heat = volume.brain * context.run(heat_of_case, case=volume.digest).array("heat")[0]
        return Explanation(volume, [Step("heat", heat=heat), Step("answer", mask=self.segment(volume, context))])


class ChangesItsMind(Explains):
    def explain(self, volume, context):
        self.level += 1
        return super().explain(volume, context)


class TooHot(Explains):
    def explain(self, volume, context):
        return Explanation(volume, [Step("heat", heat=volume.image * 9)])


class Writes(Explains):
    def explain(self, volume, context):
        volume.image[0] = 0


class SaysNothing(Explains):
    def explain(self, volume, context):
        return None


def found(method):
    return {result.name: result for result in check_method(method)}


def test_steps_are_counted_and_a_stage_of_explain_troubles_no_other_check():
    results = found(Explains)
    assert all(result.passed for result in results.values()), results
    assert results["explains"].detail == "2 and 2 steps, and the same answer after"
    assert found(SaysNothing)["explains"].passed


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (ChangesItsMind, r"voxels differ when segmented after explain"),
        (TooHot, r"explains.explain, step 'heat': its heat is not within 0 and 1"),
        (Writes, r"read-only \(test_conformance_explain.py, line \d+\)"),
    ],
)
def test_a_bad_explanation_is_caught_by_that_check_alone(method, message):
    broken = {name: result.detail for name, result in found(method).items() if not result.passed}
    assert set(broken) == {"explains"}
    assert re.search(message, broken["explains"])
