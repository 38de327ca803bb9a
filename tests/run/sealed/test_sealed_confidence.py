"""Confidences of a sealed method: the runner checks and keeps them, and believes nothing that it is told."""

import json

import pytest

from unseg_bench.errors import PluginError, RunError
from unseg_bench.run.session.codec import pack, unpack

STATES = """
class States(Method):
    name = "states"
    look_below = %s
    def fit(self, training, validation, context):
        %s
    def segment(self, volume, context):
        %s
        return volume.brain & (volume.image > 1)
"""
STATED = "context.confidence(volume, np.float32(0.5), parts={'array': float(volume.image.max())})"
ASK = "context._host._line.ask"


def test_a_sealed_and_an_unsealed_run_keep_the_same(bench):
    bench.method(STATES % ("0.75", "pass", STATED))
    records = [bench.run(sealed=how, force=True).record for how in ("required", "off")]
    kept = [(record["confidences"], record["look_below"]) for record in records]
    assert kept[0] == kept[1]
    confidences, below = kept[0]
    assert below == 0.75
    assert sorted(confidences) == sorted(bench.plan().case_ids)
    assert all(one["value"] == 0.5 and one["parts"]["array"] > 1 for one in confidences.values())


@pytest.mark.parametrize("value", [{"array": 1.5}, {"array": {"array": 2}}, [{"array": None, "b": 1}, {"array": "x"}]])
def test_a_mapping_with_the_one_name_array_is_no_array(value):
    plain, payload = pack(value)
    assert unpack(json.loads(json.dumps(plain)), payload) == value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{STATED}; {STATED}", "has one already"),
        ("context.confidence(volume, 1.5)", "from 0 to 1"),
        (f"{ASK}('confidence', volume.case_id, float('nan'), {{}})", "from 0 to 1"),
        (f"{ASK}('confidence', volume.case_id, float('inf'), {{}})", "from 0 to 1"),
        (f"{ASK}('confidence', volume.case_id, 10 ** 400, {{}})", "from 0 to 1"),
        (f"{ASK}('confidence', volume.case_id, np.ones((2, 2, 2), bool), {{}})", "from 0 to 1"),
        (f"{ASK}('confidence', volume.case_id, '0.5', {{}})", "from 0 to 1"),
        (f"{ASK}('confidence', volume.case_id, 0.5, None)", "names with numbers"),
        (f"{ASK}('confidence', volume.case_id, 0.5, {{'=cmd()': 1}})", "letters, digits"),
        (f"{ASK}('confidence', volume.case_id, 0.5, {{'a': float('nan')}})", "finite number"),
        (f"{ASK}('confidence', volume.case_id, 0.5, {{'a': {{'b': 1}}}})", "finite number"),
        (f"{ASK}('confidence', volume.case_id, 0.5, {{f'p{{n}}': 1 for n in range(99)}})", "32 at most"),
        (f"{ASK}('confidence', '../up', 0.5, {{}})", "inside `segment`"),
        (f"{ASK}('confidence', 'case-0', 0.5, {{}})", "inside `segment`"),
        ("context.table('confidence', [{'case': volume.case_id}])", "written by the harness"),
        (f"{ASK}('table', 'confidence', [{{'case': 'a'}}])", "written by the harness"),
    ],
)
def test_what_is_not_right_is_refused_inside_whoever_asks(bench, line, message):
    bench.method(STATES % ("None", "pass", line))
    with pytest.raises(RunError, match=message):
        bench.run(sealed="required", limit=1)
    assert bench.plan(limit=1).folder.confidences == {}
    assert not (bench.plan(limit=1).folder.path / "tables").exists()


@pytest.mark.parametrize("sealed", ["required", pytest.param("off", marks=pytest.mark.slow)])
def test_none_can_be_stated_while_learning(bench, sealed):
    bench.method(STATES % ("None", "[context.confidence(volume, 0.5) for volume in training]", "pass"))
    with pytest.raises(RunError, match="inside `segment`"):
        bench.run(sealed=sealed)


@pytest.mark.parametrize("below", ["1.5", "-0.1", "'high'", "True", "float('nan')"])
def test_a_level_that_is_none_is_refused_before_anything_is_computed(bench, below):
    bench.method(STATES % (below, "pass", STATED))
    with pytest.raises(PluginError, match=r"look_below|JSON"):
        bench.run(sealed="required", limit=1)
