"""The stage cache: whole results or none, errors that name the stage, one process at a time."""

import os
import platform
import threading
import time

import numpy as np
import pytest

from unseg_bench.data.locks import hold
from unseg_bench.errors import PluginError, RunError, SettingsError
from unseg_bench.plugins.history import History, Source
from unseg_bench.plugins.method import MethodOptions
from unseg_bench.plugins.stage import Call, Work, stage
from unseg_bench.plugins.stage_cache import StageCache, take_newest


class Options(MethodOptions):
    value: int = 1


def compute(cache, step, options=None, inputs=None, seed=0, extras=None, history=History, on_wait=lambda _: None):
    return keep(cache, Call(step, options, inputs or {}, seed), extras, history, on_wait).artifact


def keep(cache, call, extras=None, history=History, on_wait=lambda _: None):
    name = call.stage.name
    with cache.attempt(name, call.key, device="cpu", history=history, on_wait=on_wait) as attempt:
        if attempt.kept is None:
            place = attempt.place
            work = Work(place.folder, place.scratch, call.stage_seed, "cpu", lambda done, total, note: None)
            call.compute(work, extras or {})
    return attempt.result


def find(cache, call):
    return cache.look_up(call.stage.name, call.key)


@pytest.fixture
def cache(tmp_path):
    return StageCache(tmp_path / "stages", tmp_path / "partial")


@stage("square", seeded=False)
def square(work, options):
    np.save(work.folder / "value.npy", options.value**2)


def test_result_is_kept_and_found(cache):
    call = Call(square, Options(value=3), {}, 0)
    assert find(cache, call) is None
    made = compute(cache, square, Options(value=3))
    found = find(cache, call)
    assert found.artifact == made
    assert int(made.array("value")) == 9
    assert found.seconds >= 0
    assert not made.array("value").flags.writeable


def test_inputs_and_extras_are_handed_over_by_name(cache):
    seen = {}

    @stage("look")
    def look(work, options, *, first, digest, access):
        seen.update(first=int(first.array("value")), digest=digest, access=access, device=work.device)

    first = compute(cache, square, Options(value=2))
    compute(cache, look, Options(), {"first": first, "digest": "abc"}, extras={"access": "open"})
    assert seen == {"first": 4, "digest": "abc", "access": "open", "device": "cpu"}


def test_extras_are_not_part_of_the_key(cache):
    calls = []

    @stage("count")
    def count(work, *, access):
        calls.append(access)

    one, two = (compute(cache, count, extras={"access": access}) for access in ("a", "b"))
    assert one == two
    assert calls == ["a"]


def test_failure_names_the_stage_and_leaves_no_result(cache):
    @stage("fragile")
    def fragile(work):
        (work.folder / "half.txt").write_text("half")
        raise ValueError("boom")

    with pytest.raises(RunError, match="stage 'fragile' failed: ValueError: boom"):
        compute(cache, fragile)
    assert find(cache, Call(fragile, None, {}, 0)) is None


def test_a_users_error_comes_through_as_it_is(cache):
    @stage("strict")
    def strict(work):
        raise SettingsError("captions must not be empty")

    with pytest.raises(SettingsError, match="captions"):
        compute(cache, strict)


def test_scratch_survives_a_crash_and_half_results_do_not(cache):
    seen = []

    @stage("long")
    def long(work):
        seen.append((sorted(p.name for p in work.scratch.iterdir()), sorted(p.name for p in work.folder.iterdir())))
        (work.scratch / "checkpoint").write_text("step 5")
        (work.folder / "result.txt").write_text("done")
        if len(seen) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(cache, long)
    artifact = compute(cache, long)
    assert seen == [([], []), (["checkpoint"], [])]
    assert artifact.path("result.txt").read_text() == "done"
    assert {path.suffix for path in cache.folder.iterdir()} <= {"", ".lock"}


def test_a_result_from_before_a_moment_is_made_anew_once(cache, tmp_path):
    values = iter([1, 2])

    @stage("next")
    def step(work):
        np.save(work.folder / "value.npy", next(values))

    assert int(compute(cache, step).array("value")) == 1
    assert int(compute(cache, step).array("value")) == 1
    later = StageCache(cache.folder, tmp_path / "partial", since=time.time())
    assert int(compute(later, step).array("value")) == 2
    assert int(compute(later, step).array("value")) == 2
    assert int(compute(cache, step).array("value")) == 2


READ = {"case": "a", "kind": "mask", "purpose": "loss", "when": "now"}
TOLD = [
    History("ledger"),
    History(label_reads=(READ,)),
    History(own_weights={"mine.pt": "abc"}),
    History(sources={"/runs/other": Source("unknown")}),
    History(opened_data_files=2),
]


@pytest.mark.parametrize("told", TOLD)
def test_what_a_maker_had_seen_is_kept_with_the_result(cache, told):
    kept = keep(cache, Call(square, Options(), {}, 0), history=lambda: told)
    assert kept.history == told
    found = find(cache, Call(square, Options(), {}, 0))
    assert found.history == told
    assert found.artifact.folder.name.endswith(f".{told.variant}")


@pytest.mark.parametrize("told", TOLD)
def test_a_result_that_may_not_be_taken_is_made_anew_and_kept_beside(cache, tmp_path, told):
    call = Call(square, Options(), {}, 0)
    strict = StageCache(cache.folder, tmp_path / "other", may_take=lambda history: history == History())
    first = keep(cache, call, history=lambda: told)
    assert find(strict, call) is None
    second = keep(strict, call)
    assert second.artifact.folder != first.artifact.folder
    assert find(strict, call).artifact == second.artifact
    assert first.artifact.folder.is_dir()


@pytest.mark.parametrize("told", TOLD[1:])
def test_a_common_stage_is_taken_from_a_maker_that_had_read_no_more(cache, tmp_path, told):
    @stage("common", common=True)
    def common(work, options):
        square.function(work, options)

    call = Call(common, Options(), {}, 0)
    keep(cache, call, history=lambda: told)
    own = [History()]
    other = StageCache(cache.folder, tmp_path / "other", adds_nothing=lambda found: found.adds_nothing_to(own[0]))
    assert find(other, call) is None
    own[0] = told | History(label_reads=({**READ, "case": "b"},))
    assert find(other, call).history == told
    own[0] = History()
    keep(other, call)
    assert find(other, call).history == History()


def test_a_file_that_stays_open_for_writing_is_no_result(cache):
    left = []

    @stage("open")
    def step(work):
        left.append((work.folder / "value.bin").open("wb"))

    with pytest.raises(RunError, match=r"value.bin is still open for writing"):
        compute(cache, step)
    left[0].close()


def test_a_memory_map_that_stays_writable_is_no_result(cache):
    left = []

    @stage("mapped")
    def step(work):
        left.append(np.lib.format.open_memmap(work.folder / "value.npy", "w+", np.uint8, (8,)))

    with pytest.raises(RunError, match=r"value.npy is still open for writing"):
        compute(cache, step)
    left.clear()


@pytest.mark.parametrize("how", ["symlink_to", "hardlink_to"])
def test_links_are_no_result(cache, tmp_path, how):
    (tmp_path / "elsewhere").write_text("secret")

    @stage("linked")
    def step(work):
        getattr(work.folder / "value.txt", how)(tmp_path / "elsewhere")

    with pytest.raises(RunError, match="holds plain files only"):
        compute(cache, step)


def test_seed_depends_on_run_and_stage_and_only_for_seeded_stages(cache):
    seeds = {}

    def remember(name, *, seeded):
        @stage(name, seeded=seeded)
        def step(work):
            seeds.setdefault(name, set()).add(work.seed)

        for seed in (0, 1):
            compute(cache, step, seed=seed)

    remember("one", seeded=True)
    remember("two", seeded=True)
    remember("fixed", seeded=False)
    assert [len(seeds[name]) for name in ("one", "two", "fixed")] == [2, 2, 1]
    assert not seeds["one"] & seeds["two"]


def test_a_dot_in_a_name_is_no_file_suffix(cache):
    """Otherwise interrupted attempts with different seeds would share a scratch folder, and its checkpoints."""
    found = []

    @stage("unet-0.5")
    def step(work):
        found.extend(work.scratch.iterdir())
        (work.scratch / "checkpoint").touch()
        raise KeyboardInterrupt

    for seed in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            compute(cache, step, seed=seed)
    assert found == []


def test_two_at_one_stage_compute_it_once(cache):
    calls, waited = [], []
    inside, go_on = threading.Event(), threading.Event()

    @stage("slow")
    def slow(work):
        calls.append(1)
        inside.set()
        assert go_on.wait(10)

    artifacts = []
    first = threading.Thread(target=lambda: artifacts.append(compute(cache, slow)))
    first.start()
    assert inside.wait(10)

    def on_wait(text):
        waited.append(text)
        go_on.set()

    artifacts.append(compute(cache, slow, on_wait=on_wait))
    first.join()
    assert len(calls) == 1
    assert artifacts[0] == artifacts[1]
    assert len(waited) == 1
    assert f"waiting: process {os.getpid()} of {platform.node()} (since 20" in waited[0]


def test_lock_is_free_again_after_an_error(tmp_path):
    waits = []
    with pytest.raises(ValueError, match="boom"), hold(tmp_path / "a.lock", waits.append):
        raise ValueError("boom")
    with hold(tmp_path / "a.lock", waits.append):
        pass
    assert waits == []


def _link(folder):
    (folder / "x").symlink_to("/etc/passwd")


def _pipe_further_down(folder):
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "whole").write_text("1")
    os.mkfifo(folder / "a" / "b" / "x")


def _second_name(folder):
    (folder / "x").write_text("1")
    (folder / "y").hardlink_to(folder / "x")


def _no_folder(folder):
    folder.rmdir()


def _a_link_to_a_folder(folder):
    folder.rmdir()
    folder.symlink_to("/etc")


def _a_file(folder):
    folder.rmdir()
    folder.write_text("1")


@pytest.mark.parametrize("spoil", [_link, _pipe_further_down, _second_name, _no_folder, _a_link_to_a_folder, _a_file])
def test_a_result_that_is_refused_leaves_nothing_among_the_results(cache, spoil):
    @stage("spoilt", seeded=False)
    def spoilt(work):
        spoil(work.folder)

    with pytest.raises(RunError, match=r"plain files only|is no folder any more"):
        compute(cache, spoilt)
    assert [path.suffix for path in cache.folder.iterdir()] == [".lock"]
    assert find(cache, Call(spoilt, None, {}, 0)) is None


@pytest.mark.parametrize("name", ["", "a b", "../a", "-a", ".a", "a/b", "a\n", "ä", "a" * 101, "a*"])
def test_a_name_that_is_none_is_refused_with_the_rule(name):
    with pytest.raises(PluginError, match=r"a name is 1 to 100 letters, digits, '\.', '_' and '-', and begins with"):
        stage(name)


def test_the_end_of_a_stage_that_was_never_begun_is_an_error_that_says_so():
    with pytest.raises(RunError, match="no stage is being made"):
        take_newest([])
