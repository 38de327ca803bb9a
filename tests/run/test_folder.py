"""The run folder: whole files, one truth, and other people's folders left alone."""

import json

import pytest

from unseg_bench.data.atomic import whole_file, write_json
from unseg_bench.errors import DataError
from unseg_bench.run.folder import RunFolder, find_runs
from unseg_bench.run.ledger import Ledger, label_free

BEGUN = {
    "state": "complete",
    "method": "toy",
    "preset": "demo",
    "seed": 0,
    "dataset": "toy",
    "evidence": True,
    "split": "all-test",
    "part": "test",
    "cases": ["a"],
    "settings": {"methods": ["toy"]},
    "started": "2026-01-01T00:00:00+00:00",
}


def test_record_is_empty_before_the_run_and_grows(tmp_path):
    run = RunFolder(tmp_path / "new")
    assert run.record == {}
    assert run.state == "absent"
    run.update({"state": "started", "seed": 1})
    run.update({"state": "predicted"})
    assert run.record == {"format": 1, "state": "predicted", "seed": 1}


def test_a_value_that_cannot_be_written_leaves_the_record_as_it_was(tmp_path):
    run = RunFolder(tmp_path)
    run.update({"state": "started"})
    with pytest.raises(ValueError, match="JSON"):
        run.update({"dsc": float("nan")})
    assert run.record == {"format": 1, "state": "started"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "result.nii.gz"

    def fail_half_way():
        with whole_file(target) as part:
            part.write_text("half")
            assert part.name.endswith(".nii.gz")
            assert not target.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list(target.parent.iterdir()) == []
    with whole_file(target) as part:
        part.write_text("whole")
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "a.json"
    write_json(target, {"old": 1})
    with pytest.raises(TypeError):
        write_json(target, {"new": object()})
    assert json.loads(target.read_text()) == {"old": 1}


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}', '{"state": "complete"}', b"\xff\xff"])
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / "run.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=r"run\.json"):
        RunFolder(tmp_path).record  # noqa: B018


@pytest.mark.parametrize("case_id", ["../evil", "a/b", "", ".hidden", "a\nb"])
def test_case_ids_cannot_leave_the_folder(tmp_path, case_id):
    with pytest.raises(DataError, match="case id"):
        RunFolder(tmp_path).prediction(case_id)


def test_log_is_one_json_value_a_line(tmp_path):
    run = RunFolder(tmp_path)
    run.log("stage", {"stage": "a"})
    run.log("case", {"case": "ü"})
    lines = [json.loads(line) for line in run.log_file.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["stage", "case"]
    assert lines[1]["case"] == "ü"


def test_runs_are_found_oldest_first_and_damaged_ones_skipped(tmp_path):
    for name, day in (("b", 2), ("a", 3), ("c", 1)):
        RunFolder(tmp_path / "toy" / name).update(BEGUN | {"started": f"2026-01-{day:02d}T00:00:00+00:00"})
    for name, text in (("broken", "{"), ("strange", '{"format": 1, "state": "complete"}')):
        (tmp_path / "toy" / name).mkdir()
        (tmp_path / "toy" / name / "run.json").write_text(text)
    told = []
    assert [run.path.name for run in find_runs(tmp_path, told.append)] == ["c", "b", "a"]
    assert ["toy/broken/run.json: cannot be read" in str(told[0]), "lacks method, preset" in str(told[1])] == [True] * 2
    assert find_runs(tmp_path / "none") == []


def test_a_label_read_is_on_disk_at_once_and_once(tmp_path):
    run = RunFolder(tmp_path)
    read = {"case": "a", "kind": "mask", "purpose": "loss", "when": "now"}
    ledger = Ledger(run)
    ledger.add_read(read)
    assert run.record["label_reads"] == [read]
    ledger.add_read({**read, "when": "later"})
    for one in (read, {**read, "case": "b"}):
        Ledger(run).add_read(one)
    assert [entry["case"] for entry in run.record["label_reads"]] == ["a", "b"]


def test_label_free_says_what_was_read():
    def reads(*kinds):
        return {"label_reads": [{"case": str(i), "kind": kind, "purpose": "p"} for i, kind in enumerate(kinds)]}

    assert label_free({}) == "yes (ledger)"
    assert label_free(reads()) == "yes (ledger)"
    assert label_free(reads("mask")) == "no: 1 mask"
    assert label_free(reads("mask", "mask", "slice-labels")).startswith("no: 2 masks, 1 slice-labels")
    assert label_free(reads("slice-labels", "slice-labels")) == "no: 2 slice-labels"
    twice = [{"case": "a", "kind": "mask", "purpose": purpose} for purpose in ("learn", "choose")]
    assert label_free({"label_reads": twice}) == "no: 1 mask"
