"""Estimates: the median of what a stage took before, the same options first; a case takes what it took before."""

import json
from types import SimpleNamespace

import pytest

from unseg_bench.data.paths import cache_dir
from unseg_bench.run.dry_run import DryRun, StageCall, dry_run_all
from unseg_bench.run.estimate import estimate, seconds_a_case
from unseg_bench.run.folder import RunFolder


@pytest.fixture
def plan(tmp_path):
    """Make what a plan is to an estimate: a method, its data and preset, a run folder."""

    def make(name="m", digest="a", cases=("c1", "c2", "c3", "c4")):
        folder = RunFolder(tmp_path / "runs" / "d" / f"{name}-demo-seed0-{digest}")
        return SimpleNamespace(
            method=SimpleNamespace(name=name), dataset=SimpleNamespace(name="d"), preset="demo", folder=folder,
            case_ids=cases, is_segmented=lambda case_id: folder.prediction(case_id).is_file(),
        )  # fmt: skip

    return make


@pytest.fixture
def keep():
    """Put the record of a finished stage into the cache."""

    def put(stage, digest, seconds, options, where="stages/owner"):
        folder = cache_dir() / where / f"{stage}-{digest}"
        folder.mkdir(parents=True)
        (folder / "stage.json").write_text(
            json.dumps({"key": {"stage": stage, "options": options}, "seconds": seconds})
        )

    return put


def seconds_of(plan, *calls):
    return [task.seconds for task in estimate([DryRun(plan(cases=()), calls)]).stages]


def test_the_same_options_come_first_then_any_then_nothing(plan, keep):
    for digest, seconds in (("1", 10.0), ("2", 12.0), ("3", 40.0)):
        keep("cam", digest, seconds, {"steps": 1})
    keep("cam", "4", 100.0, {"steps": 2}, where="stages/another")
    keep("cam-regions", "5", 7.0, {"steps": 1})
    same = StageCall("cam", "x", {"steps": 1}, cached=False)
    sealed = StageCall("cam", "y", {"steps": 2}, cached=False)
    other = StageCall("cam", "z", {"steps": 3}, cached=False)
    unseen = StageCall("unet", "w", {"steps": 3}, cached=False)
    kept = StageCall("unet", "v", None, cached=True)
    assert seconds_of(plan, same, sealed, other, unseen, kept) == [12.0, 100.0, 26.0, None, 0.0]


def test_a_damaged_record_is_passed_over(plan, keep):
    keep("cam", "1", 10.0, None)
    (cache_dir() / "stages" / "owner" / "cam-2").mkdir()
    (cache_dir() / "stages" / "owner" / "cam-2" / "stage.json").write_text("{")
    assert seconds_of(plan, StageCall("cam", "x", None, cached=False)) == [10.0]


def test_what_runs_share_is_counted_once(plan, keep):
    keep("cam", "1", 10.0, None)
    call = StageCall("cam", "x", None, cached=False)
    work = estimate([DryRun(plan(digest="a", cases=()), (call, call)), DryRun(plan(digest="b", cases=()), (call,))])
    (task,) = work.stages
    assert len(task.runs) == 2
    assert (work.seconds, work.unknown) == (10.0, 0)


def log_cases(folder, *seconds):
    folder.path.mkdir(parents=True)
    lines = [{"time": f"2026-01-01T00:00:{second:02d}", "event": "case", "case": "c"} for second in seconds]
    folder.log_file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_longest_gap_between_cases_is_left_out(plan):
    folder = plan().folder
    log_cases(folder, 0, 2, 5, 50, 54)
    assert seconds_a_case(folder) == pytest.approx((2 + 3 + 4) / 3)
    assert seconds_a_case(RunFolder(folder.path / "none")) is None


def test_segmentation_takes_what_the_method_took_before(plan):
    before = plan(digest="before").folder
    log_cases(before, 0, 2, 4, 6)
    begun = {"state": "complete", "seed": 0, "evidence": True, "split": "s", "part": "test", "cases": ["c1"]}
    before.update({"method": "m", "dataset": "d", "preset": "demo", "started": "2026-01-01T00:00:00", **begun})
    done = plan().folder.prediction("c1")
    done.parent.mkdir(parents=True)
    done.touch()
    work = estimate([DryRun(plan()), DryRun(plan(name="other"))])
    assert [(task.method, task.cases, task.seconds) for task in work.segments] == [("m", 3, 6.0), ("other", 4, None)]
    assert work.unknown == 1
    assert work.to_dict()["without_estimate"] == 1


def test_a_real_run_gives_the_next_one_its_times(toy):
    toy.run()
    work = estimate(dry_run_all(toy.plans(set={"train.rate": 0.2})))
    assert [(task.stage, task.cached) for task in work.stages] == [("gather", True), ("train", False)]
    assert all(task.seconds is not None for task in work.stages)
