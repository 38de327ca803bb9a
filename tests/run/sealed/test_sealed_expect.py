"""A method that is told of the cases to come may open their volumes ahead, sealed or not; others may not."""

import numpy as np
import pytest

from unseg_bench.errors import RunError

AHEAD = """
class Ahead(Method):
    name = "ahead"
    def expect(self, cases, context):
        self.cases = cases
        self.ids = cases.case_ids
        %s
    def segment(self, volume, context):
        later = self.cases[self.ids[-1]]
        seen = {"ids": list(self.ids), "digest": later.digest, "sum": float(later.image.sum())}
        context.note("note", {"value": seen})
        return volume.brain
"""
CURIOUS = """
class Curious(Method):
    name = "curious"
    def segment(self, volume, context):
        context._host._line.cohort({"name": "test", "digest": "", "digests": [(volume.case_id, "")]})[volume.case_id]
        return volume.brain
"""


def test_sealed_and_unsealed_methods_see_the_same_cases_ahead(bench):
    bench.method(AHEAD % "pass")
    cases = list(bench.plan().case_ids)
    found = []
    for how in ("required", "off"):
        notes = bench.notes(bench.run(sealed=how, force=True))[-len(cases) :]
        assert [sorted(note["ids"]) for note in notes] == [sorted(cases)] * len(cases)
        found.append(notes)
    assert found[0] == found[1]
    assert np.isfinite(found[0][0]["sum"])


@pytest.mark.parametrize("how", ["required", "off"])
def test_what_expect_raises_ends_the_run_in_one_line(bench, how):
    bench.method(AHEAD % "raise ValueError('too many')")
    with pytest.raises(RunError, match=r"expect failed with ValueError: too many"):
        bench.run(sealed=how)


def test_a_method_that_did_not_ask_to_be_told_sees_one_case_at_a_time(bench):
    bench.method(CURIOUS)
    with pytest.raises(RunError, match="in no cohort that this method was given"):
        bench.run(sealed="required", limit=1)
