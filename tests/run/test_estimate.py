"""Estimates: what a stage took on the same images, the same options first; else what the method's costs compute."""

import json
from types import SimpleNamespace

import pytest

from unseg_bench.data.paths import cache_dir
from unseg_bench.plugins.cost import CORE_TFLOPS, GPU_TFLOPS, WRITTEN_GB_S, Cost
from unseg_bench.run import estimate as estimates
from unseg_bench.run.dry_run import DryRun, StageCall, dry_run_all
from unseg_bench.run.estimate import estimate
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.taken_before import seconds_a_case


@pytest.fixture
def plan(tmp_path):
    """Make what a plan is to an estimate: a method, its images and preset, a run folder."""

    def make(name="m", digest="a", cases=("c1", "c2", "c3", "c4"), seed=0):
        folder = RunFolder(tmp_path / "runs" / "d" / f"{name}-demo-seed0-{digest}")
        return SimpleNamespace(
            method=SimpleNamespace(name=name, weights=()), dataset=SimpleNamespace(name="d", evidence=False),
            preset="demo", folder=folder, case_ids=cases, loaded=None, is_done=False, seed=seed,
            settings=SimpleNamespace(device="cpu"), inputs=SimpleNamespace(learned_from="images"),
            is_segmented=lambda case_id: folder.prediction(case_id).is_file(), used_case_ids=cases,
        )  # fmt: skip

    return make


@pytest.fixture
def keep():
    """Put the record of a finished stage into the cache."""

    def put(stage, digest, seconds, options, where="stages/owner", device="cpu", cases=4, data="images", preset="demo"):
        folder = cache_dir() / where / f"{stage}-{digest}"
        folder.mkdir(parents=True)
        key, work = {"stage": stage, "options": options}, {"cases": cases, "data": data, "preset": preset}
        (folder / "stage.json").write_text(json.dumps({"key": key, "seconds": seconds, "device": device, "work": work}))

    return put


@pytest.fixture
def costs(monkeypatch):
    """Give every plan these costs."""

    def give(*found):
        monkeypatch.setattr(estimates, "_costs_of", lambda _: found)

    return give


def call(name, digest="x", options=None, *, cached=False, cases=4):
    return StageCall(name, digest, options, cached, cases)


def seconds_of(plan, *calls):
    return [task.seconds for task in estimate([DryRun(plan(cases=()), calls)]).stages]


def test_the_same_options_come_first_then_the_same_preset_then_nothing(plan, keep):
    for digest, seconds in (("1", 10.0), ("2", 12.0), ("3", 40.0)):
        keep("cam", digest, seconds, {"steps": 1})
    keep("cam", "4", 100.0, {"steps": 2}, where="stages/another", preset="check")
    keep("cam-regions", "5", 7.0, {"steps": 1})
    same, sealed = call("cam", "x", {"steps": 1}), call("cam", "y", {"steps": 2})
    other, unseen = call("cam", "z", {"steps": 3}), call("unet", "w", {"steps": 3})
    kept = call("unet", "v", cached=True)
    assert seconds_of(plan, same, sealed, other, unseen, kept) == [12.0, 100.0, 12.0, None, 0.0]


def test_what_a_tiny_cohort_took_promises_nothing_for_another(plan, keep):
    keep("volumes", "1", 0.6, None, data="three tiny cases", cases=3)
    keep("volumes", "2", 0.1, None, device="cuda")
    assert seconds_of(plan, call("volumes", cases=257)) == [None]


def test_times_are_per_case(plan, keep):
    keep("masks", "1", 8.0, None, cases=4)
    assert seconds_of(plan, call("masks", cases=1)) == [2.0]


def test_a_damaged_record_is_passed_over(plan, keep):
    keep("cam", "1", 10.0, None)
    for number, text in enumerate(("{", '{"key": {"stage": "cam", "options": null}, "seconds": 3, "device": "cpu"}')):
        folder = cache_dir() / "stages" / "owner" / f"cam-2{number}"
        folder.mkdir()
        (folder / "stage.json").write_text(text)
    assert seconds_of(plan, call("cam")) == [10.0]


def test_what_runs_share_is_counted_once(plan, keep):
    keep("cam", "1", 10.0, None)
    once = call("cam")
    work = estimate([DryRun(plan(digest="a", cases=()), (once, once)), DryRun(plan(digest="b", cases=()), (once,))])
    (task,) = work.stages
    assert len(task.runs) == 2
    assert (work.seconds, work.unknown) == (10.0, 0)


def test_what_was_never_measured_is_computed_and_said_so(plan, costs, keep, monkeypatch):
    monkeypatch.setattr("unseg_bench.plugins.cost.usable_cpus", lambda: 2)
    keep("slow", "1", 5.0, None)
    train, slow = Cost("train", 6e12 * CORE_TFLOPS, bytes=1e9), Cost("slow", 1e15, bytes=2e9)
    costs(train, slow, Cost("segment", 8e12 * CORE_TFLOPS, core_s=1.0))
    work = estimate([DryRun(plan(), (call("train"), call("slow", "y")))])
    writing = 1e9 / (WRITTEN_GB_S * 1e9)
    assert [(task.seconds, task.basis) for task in work.stages] == [(3.0 + writing, "computed"), (5.0, "measured")]
    assert [(task.seconds, task.basis) for task in work.segments] == [(5.0, "computed")]
    assert (work.computed, work.unknown, work.bytes) == (8.0 + writing, 0, 3e9)
    assert work.gpu_seconds == pytest.approx(14 * CORE_TFLOPS / GPU_TFLOPS + 1.0 + writing)


def test_stages_that_a_dry_run_did_not_come_to_are_computed_once_for_runs_that_share_them(plan, costs):
    costs(Cost("first", 1e12, depends="a"), Cost("second", 2e12, depends="b"))
    runs = [DryRun(plan(digest=str(seed), cases=(), seed=seed), (), beyond="why") for seed in (0, 0, 1)]
    assert [task.stage for task in estimate(runs).stages] == ["first", "second"] * 2
    named = DryRun(plan(cases=()), (call("first"),), beyond="why")
    assert [task.stage for task in estimate([named]).stages] == ["first", "second"]
    ended = DryRun(plan(cases=()), (call("first"),))
    assert [task.stage for task in estimate([ended]).stages] == ["first"]


def test_what_all_runs_ask_for_is_counted_once_and_only_where_a_stage_needs_it(plan, costs, keep):
    costs(Cost("ask", 1e12), Cost("ask", 5e12, bytes=7e9, common="features of all"))
    runs = [DryRun(plan(digest=digest, cases=()), (call("ask", digest),)) for digest in "ab"]
    work = estimate(runs)
    assert [task.stage for task in work.stages] == ["ask", "ask", "features"]
    assert work.bytes == 7e9
    assert len(work.stages[-1].runs) == 2
    assert estimate([DryRun(plan(cases=()), (call("ask", cached=True),))]).bytes == 0
    keep("ask", "1", 9.0, None)
    known = estimate(runs)
    assert (known.seconds, known.bytes) == (18.0, 7e9), "the time of what is common is in that of the stage"


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
    begun["device"] = {"name": "cpu"}
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
