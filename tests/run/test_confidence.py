"""Confidences: stated once a case, in run.json beside the prediction that they are about, never without it."""

import math

import numpy as np
import pytest

from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore
from unseg_bench.errors import DataError, RunError
from unseg_bench.plugins.confidence import MOST_PARTS, checked_confidence
from unseg_bench.run.case_outputs import CaseOutputs
from unseg_bench.run.folder import RunFolder

STATES = {"states": True}
CASES = ["case-4", "case-5", "case-6"]


def prepared_of(toy, case_id):
    return PreparedStore(cache_dir() / "prepared").prepare(case_id, toy.plan().dataset.image(case_id))


@pytest.fixture
def outputs(toy, tmp_path):
    return CaseOutputs(RunFolder(tmp_path / "run"), keep_maps=False)


@pytest.fixture
def case(toy):
    return prepared_of(toy, "case-4")


def test_the_record_has_each_cases_confidence_with_its_parts_and_the_level(toy):
    run = toy.run(set=STATES)
    assert run.record["look_below"] == 0.5
    assert sorted(run.confidences) == CASES
    for stated in run.confidences.values():
        assert 0 <= stated["value"] <= 1
        assert list(stated["parts"]) == ["contrast"]


def test_a_method_that_states_none_leaves_none(toy):
    assert toy.run().confidences == {}


def test_a_run_that_is_taken_up_keeps_what_was_stated_and_states_the_rest(toy):
    run = toy.run(set=STATES)
    whole = run.confidences
    run.forget_case("case-5")
    assert sorted(run.confidences) == ["case-4", "case-6"]
    run.update({"state": "started"})
    toy.forget()
    again = toy.run(set=STATES)
    assert toy.lines == ["segment case-5", "stated case-5"]
    assert again.confidences == whole


@pytest.mark.slow
def test_a_run_that_is_killed_after_a_case_was_stated_has_the_same_in_the_end(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_STATES", "yes")
    folders = [tmp_path / "killed", tmp_path / "whole"]
    assert toy.attempts([(folders[0], 9), (folders[0], 0), (folders[1], 0)]) == [-9, 0, 0]
    killed, whole = (RunFolder(next(folder.glob("runs/*/*/run.json")).parent).confidences for folder in folders)
    assert killed == whole
    assert sorted(whole) == CASES


def test_a_case_that_fails_leaves_no_confidence(toy, outputs, case):
    with outputs.case(case):
        outputs.confidence("case-4", 0.5, {})
    assert outputs._folder.confidences == {"case-4": {"value": 0.5, "parts": {}}}

    def fail():
        with outputs.case(case):
            outputs.confidence("case-4", 0.75, {})
            raise OSError("late")

    with pytest.raises(OSError, match="late"):
        fail()
    assert outputs._folder.confidences == {}


def test_one_of_an_earlier_time_goes_where_none_is_stated_now(outputs, case):
    with outputs.case(case):
        outputs.confidence("case-4", 0.5, {"a": 1})
    with outputs.case(case):
        pass
    assert outputs._folder.confidences == {}


@pytest.mark.parametrize("case_id", ["case-4", "case-5", "../run"])
def test_nothing_is_taken_outside_of_the_case(outputs, case, case_id):
    with pytest.raises(RunError, match="inside `segment`"):
        outputs.confidence(case_id, 0.5, {})
    if case_id != "case-4":
        with outputs.case(case), pytest.raises(RunError, match="inside `segment`"):
            outputs.confidence(case_id, 0.5, {})


def test_a_second_one_is_refused_and_the_first_stays(outputs, case):
    with outputs.case(case):
        outputs.confidence("case-4", 0.25, {})
        with pytest.raises(ValueError, match="has one already"):
            outputs.confidence("case-4", 0.75, {})
    assert outputs._folder.confidences["case-4"]["value"] == 0.25


@pytest.mark.parametrize("value", [-0.001, 1.001, math.nan, math.inf, -math.inf, 10**400, True, "0.5", None, [0.5]])
def test_a_value_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="a number from 0 to 1 is needed"):
        checked_confidence(value, {})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (None, "names with numbers"),
        ([["a", 1.0]], "names with numbers"),
        ({"a": math.nan}, "finite number"),
        ({"a": "1"}, "finite number"),
        ({"a": True}, "finite number"),
        ({"a": 10**400}, "finite number"),
        ({1: 1.0}, "finite number"),
        ({"": 1.0}, "letters, digits"),
        ({"a b": 1.0}, "letters, digits"),
        ({"=1+1": 1.0}, "letters, digits"),
        ({"a\n": 1.0}, "letters, digits"),
        ({"x" * 65: 1.0}, "letters, digits"),
        ({"case": 1.0}, "and not case, confidence, look"),
        ({f"p{number}": 1.0 for number in range(MOST_PARTS + 1)}, "32 at most"),
    ],
)
def test_parts_that_are_none_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        checked_confidence(0.5, parts)


def test_numbers_of_any_kind_become_plain_floats():
    value, parts = checked_confidence(np.float32(0.5), {"voxels": np.int64(7), "share": 1})
    assert (value, parts) == (0.5, {"voxels": 7.0, "share": 1.0})
    assert {type(number) for number in (value, *parts.values())} == {float}
    assert checked_confidence(0, {})[0] == 0.0
    assert checked_confidence(1, {})[0] == 1.0


def test_a_run_has_no_more_names_of_parts_than_a_table_can_show(toy, outputs, case):
    with outputs.case(case):
        outputs.confidence("case-4", 0.5, {f"p{number}": 1.0 for number in range(MOST_PARTS)})
    other = prepared_of(toy, "case-5")
    with outputs.case(other):
        with pytest.raises(ValueError, match="33 names of parts"):
            outputs.confidence("case-5", 0.5, {"one-more": 1.0})
        outputs.confidence("case-5", 0.5, {"p0": 1.0})


@pytest.mark.parametrize(
    ("entries", "place"),
    [
        ({"confidences": {"case-4": {"value": 1.5, "parts": {}}}}, "confidences.case-4.value"),
        ({"confidences": {"case-4": {"value": "0.5", "parts": {}}}}, "confidences.case-4.value"),
        ({"confidences": {"case-4": {"value": 0.5}}}, "confidences.case-4.parts"),
        ({"confidences": {"../up": {"value": 0.5, "parts": {}}}}, "confidences"),
        ({"confidences": {"case-4": {"value": 0.5, "parts": {"=1": 1.0}}}}, "confidences"),
        ({"confidences": {"case-4": {"value": 0.5, "parts": {"a": "b"}}}}, "confidences.case-4.parts.a"),
        ({"confidences": [0.5]}, "confidences"),
        ({"look_below": 2}, "look_below"),
        ({"look_below": "high"}, "look_below"),
    ],
)
def test_a_record_that_no_run_writes_is_refused(toy, entries, place):
    run = toy.run()
    run.update(entries)
    with pytest.raises(DataError, match=place):
        _ = run.record


def test_a_run_of_an_earlier_version_has_none(toy):
    run = toy.run()
    record = run.record
    del record["look_below"]
    (run.path / "run.json").unlink()
    run.update(record)
    assert "look_below" not in run.record
    assert run.confidences == {}
    run.forget_case("case-4")
    assert toy.run().state == "predicted"
