"""A sealed run is a run like any other: same bits, same errors, same progress, same way on after a crash."""

import json
import os
import signal
from pathlib import Path

import pytest

from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import DataError, LabelAccessError, PluginError, RunError, SettingsError
from unseg_bench.run.ledger import label_free
from unseg_bench.sandbox import landlock, privileges
from unseg_bench.sandbox.process import ProcessLost

LEARNS = """
class Options(MethodOptions):
    steps: int = 4
    die_at: int = -1

@stage("level")
def find_level(work, options, *, cohort):
    state = work.scratch / "state.npy"
    done, level = np.load(state) if state.is_file() else (0, 0.0)
    for step in range(int(done), options.steps):
        work.progress(step, options.steps, f"step {step}")
        level += sum(float(np.quantile(volume.image[volume.brain], 0.9)) for volume in cohort)
        level += float(np.random.default_rng([work.seed, step]).normal()) / 100
        np.save(state, [step + 1, level])
        if step == options.die_at and not (work.scratch / "died").exists():
            (work.scratch / "died").touch()
            os.kill(os.getpid(), 9)
    np.save(work.folder / "level.npy", level / options.steps / len(cohort))

class Mine(Method):
    name = "mine"
    Options = Options
    def fit(self, training, validation, context):
        context.note("note", {"value": [len(training), len(validation), len(context.healthy)]})
        self.level = float(context.run(find_level, self.options, cohort=training).array("level"))
    def segment(self, volume, context):
        return volume.brain & (volume.image > self.level)
"""


class Listener:
    """A reporter that keeps what it hears."""

    def __init__(self):
        self.heard = []

    def __getattr__(self, name):
        return lambda *values, **named: self.heard.append((name, *values))


def test_same_bits_as_unsealed(bench):
    bench.method(LEARNS)
    masks = {}
    for how in ("required", "off"):
        done = bench.run(sealed=how, force=True, seeds=[5])
        assert label_free(done.record) == {"required": "yes (sealed)", "off": "not sealed"}[how]
        masks[how] = bench.masks(done)
    assert masks["required"] == masks["off"]
    assert len(masks["off"]) == 2


def test_record_and_evidence_say_what_was_enforced(bench):
    done = bench.method(LEARNS).run()
    seal = done.record["seal"]
    assert (seal["mode"], seal["landlock_abi"]) == ("sealed", landlock.abi())
    assert seal["network"] == "no sockets at all (seccomp)"
    assert {"make a network connection", "read this run's record"} <= set(seal["refused"])
    assert seal["volumes"]["train"] == 8
    evidence = json.loads((done.path / "seal.json").read_text())
    for tried in evidence["refused"]:
        answers = {"Permission denied"}
        if tried["path"].startswith("/proc/"):
            answers.add("No such file or directory")  # another process is not seen
        if tried["kind"] == "process":
            answers |= {"No such process", "Operation not permitted"}
        if tried["kind"] == "write":
            answers.add("Read-only file system")  # the mount is asked before Landlock
        assert tried["answer"] in answers
    assert set(seal["namespaces"]) >= {"user", "mount", "pid", "ipc", "network", "uts"}
    assert seal["refused_calls"] == []
    allowed = {rule["path"] for rule in evidence["allowed"]}
    assert str(bench.file) in allowed
    assert not any(Path(path).is_relative_to(bench.data) for path in allowed)


def test_progress_notes_and_stages_reach_the_runner(bench):
    listener = Listener()
    done = bench.method(LEARNS).run(reporter=listener)
    assert ("step", 2, 4, "step 2") in listener.heard
    assert ("stage_begins", "level") in listener.heard
    assert bench.notes(done) == [[2, 0, 1]]
    assert [line["cached"] for line in done.events() if line["event"] == "stage"] == [False]
    again = bench.run(limit=1, reporter=(second := Listener()))
    assert [line["cached"] for line in again.events() if line["event"] == "stage"] == [True]
    assert ("stage_begins", "level") not in second.heard


def test_no_room_is_left_and_no_stage_is_half_done(bench):
    bench.method(LEARNS).run()
    assert list((cache_dir() / "sandbox").iterdir()) == []
    assert list((cache_dir() / "partial").iterdir()) == []
    (stages,) = (cache_dir() / "stages").iterdir()
    assert not list(stages.glob("*.new"))


def test_killed_in_a_stage_it_goes_on_from_the_checkpoint_to_the_same_bits(bench):
    bench.method(LEARNS)
    quiet = bench.masks(bench.run(set={"die_at": 99}))
    with pytest.raises(ProcessLost, match="was ended by SIGKILL"):
        bench.run(set={"die_at": 2})
    listener = Listener()
    assert bench.masks(bench.run(set={"die_at": 2}, reporter=listener)) == quiet
    assert [told[1] for told in listener.heard if told[0] == "step" and told[-1].startswith("step")] == [3]


def test_without_what_linux_alone_has_a_file_runs_to_the_same_bits(bench, monkeypatch):
    bench.method(LEARNS)
    masks = bench.masks(bench.run(sealed="off"))
    for name in ("memfd_create", "pipe2", "pidfd_open", "sched_getaffinity"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(privileges, "can_adopt", lambda: False)
    assert bench.masks(bench.run(sealed="off", force=True)) == masks


WAITS = LEARNS.replace(
    "        work.progress(",
    "        while step == 2 and not (work.scratch / 'on').exists():\n"
    "            if not (work.scratch / 'waits').exists():\n"
    "                subprocess.Popen(['/bin/sleep', '600'])\n"
    "                if os.fork() == 0:\n"
    "                    os.setsid()\n"
    "                    if os.fork() == 0:\n"
    "                        time.sleep(600)\n"
    "                    os._exit(0)\n"
    "                (work.scratch / 'waits').touch()\n"
    "            time.sleep(0.01)\n"
    "        work.progress(",
)


@pytest.mark.slow
@pytest.mark.parametrize("sealed", ["required", pytest.param("off", marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_when_the_runner_goes_the_method_s_process_goes_too(bench, wait_for, working_in, number, sealed):
    """And all that it started: a program, and a process that left its parent and its session."""
    bench.method(f"import subprocess\n{WAITS}")
    process = bench.start(sealed=sealed)
    waits = "partial/*/*/scratch/waits"
    wait_for(lambda: process.poll() is not None or list(cache_dir().glob(waits)))
    (scratch,) = (found.parent for found in cache_dir().glob(waits))
    assert len(working_in(cache_dir() / "sandbox")) >= 4
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -number, errors
    wait_for(lambda: not working_in(cache_dir() / "sandbox"))
    (scratch / "on").touch()
    listener = Listener()
    bench.run(reporter=listener, sealed=sealed)
    assert [told[1] for told in listener.heard if told[0] == "step" and told[-1].startswith("step")] == [2, 3]


@pytest.mark.slow
def test_errors_keep_their_kind_and_words(bench):
    segment = "class Mine(Method):\n    name = 'mine'\n    def segment(self, volume, context):\n        "
    with pytest.raises(RunError, match=r"2 of 2 cases failed, first \d \(ValueError: no luck\)"):
        bench.method(segment + "raise ValueError('no luck')").run()
    with pytest.raises(DataError) as caught:
        bench.method(segment + "raise DataError('no such thing')").run()
    assert str(caught.value) == "no such thing"
    with pytest.raises(LabelAccessError, match="declares supervision 'none'"):
        bench.method(segment + "return context.labels.mask(volume.case_id, 'look')").run()
    with pytest.raises(RunError, match=r"bool array of shape \(\d+, \d+, \d+\), not float64 of shape"):
        bench.method(segment + "return np.zeros(volume.shape)").run()
    with pytest.raises(RunError, match="not bool of shape"):
        bench.method(segment + "return np.zeros((2, 2), bool)").run()
    with pytest.raises(RunError, match="not NoneType"):
        bench.method(segment + "return None").run()
    with pytest.raises(RunError, match="SystemExit"):
        bench.method(segment + "raise SystemExit(3)").run()
    with pytest.raises(ProcessLost, match="ended by itself with exit code 7"):
        bench.method(segment + "os._exit(7)").run()


def test_errors_of_fit_and_of_stages(bench):
    fit = "class Mine(Method):\n    name = 'mine'\n    segment = print\n    def fit(self, *_):\n        {}['x']"
    with pytest.raises(RunError, match=r"mine \(default\), seed 0: fit failed with KeyError: 'x'"):
        bench.method(fit).run()
    stages = LEARNS.replace("state = work", "raise OSError('disk gone'); state = work")
    with pytest.raises(RunError, match="stage 'level' failed: OSError: disk gone"):
        bench.method(stages).run()


def test_errors_before_anything_runs(bench):
    with pytest.raises(PluginError, match=r"mine\.py could not be imported: ZeroDivisionError"):
        bench.method("1 / 0").plan()
    with pytest.raises(PluginError, match="expected one subclass"):
        bench.method("").plan()
    with pytest.raises(SettingsError, match="Did you mean 'steps'"):
        bench.method(LEARNS).plan(set={"step": 3})
    with pytest.raises(SettingsError, match="mine: option 'steps'"):
        bench.plan(set={"steps": "many"})
    with pytest.raises(PluginError, match="the name 'threshold' is taken by"):
        bench.method(LEARNS.replace('"mine"', '"threshold"')).plan()


def test_a_refused_file_is_explained(bench):
    source = "class Mine(Method):\n    name = 'mine'\n    def segment(self, volume, context):\n        open(%r)"
    with pytest.raises(RunError, match=r"Permission denied.*the seal refused it.*--sealed off"):
        bench.method(source % str(bench.data / "case-0" / "seg.nii.gz")).run()


def test_what_a_method_prints_goes_to_stderr(bench, capfd):
    bench.method(LEARNS.replace("return volume", "print('hello from', volume.case_id); return volume")).run()
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("hello from ") == 2


def test_a_fork_is_told_that_it_cannot_ask(bench):
    bench.method(
        "class Mine(Method):\n"
        "    name = 'mine'\n"
        "    def segment(self, volume, context):\n"
        "        reading, writing = os.pipe()\n"
        "        if os.fork() == 0:\n"
        "            try:\n"
        "                context.healthy\n"
        "            except RunError as error:\n"
        "                os.write(writing, str(error).encode())\n"
        "            os._exit(0)\n"
        "        context.note('note', {'value': os.read(reading, 999).decode()})\n"
        "        return volume.empty_mask()\n"
    )
    notes = bench.notes(bench.run())
    assert len(notes) == 2
    assert all(note.startswith("only the method's own process") for note in notes)


def test_a_part_of_a_cohort_is_the_same_inside_and_outside(bench):
    bench.method(
        "@stage('means')\n"
        "def means(work, *, cohort):\n"
        "    np.save(work.folder / 'means.npy', [np.abs(volume.image).sum() for volume in cohort])\n"
        "class Mine(Method):\n"
        "    name = 'mine'\n"
        "    def fit(self, training, validation, context):\n"
        "        for part in (training.part(training.case_ids[1:]), context.healthy.part(context.healthy.case_ids)):\n"
        "            found = context.run(means, cohort=part).array('means').tolist()\n"
        "            context.note('note', {'value': [part.name, list(part.case_ids), part.digest, found]})\n"
        "    def segment(self, volume, context):\n"
        "        return volume.empty_mask()\n"
    )
    inside, outside = (bench.notes(bench.run(sealed=how, force=True))[-2:] for how in ("required", "off"))
    assert inside == outside
    assert [(name, len(cases), len(found)) for name, cases, _, found in inside] == [("train", 1, 1), ("healthy", 1, 1)]


@pytest.mark.parametrize("asks", [True, False])
def test_healthy_cases_are_looked_up_only_for_a_method_that_asks(bench, monkeypatch, asks):
    bench.method(
        "class Mine(Method):\n"
        "    name = 'mine'\n"
        "    def fit(self, training, validation, context):\n"
        f"        {'context.healthy' if asks else 'pass'}\n"
        "    def segment(self, volume, context):\n"
        "        return volume.empty_mask()\n"
    )
    asked, image = [], type(bench.plan().dataset).image
    monkeypatch.setattr(type(bench.plan().dataset), "image", lambda own, case: asked.append(case) or image(own, case))
    for how in ("off", "required"):
        asked.clear()
        done = bench.run(sealed=how, force=True)
        assert ("healthy" in done.record["images"]) == asks
        assert done.record["seal"].get("opened_data_files", 0) == 0


def test_threads_may_ask(bench):
    bench.method(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "class Mine(Method):\n"
        "    name = 'mine'\n"
        "    def fit(self, training, validation, context):\n"
        "        with ThreadPoolExecutor(4) as pool:\n"
        "            sums = list(pool.map(lambda case: float(training[case].image.sum()), training.case_ids * 20))\n"
        "        context.note('note', {'value': len(set(sums))})\n"
        "    def segment(self, volume, context):\n"
        "        return volume.empty_mask()\n"
    )
    assert bench.notes(bench.run()) == [2]


class TestWithoutKernel:
    """What happens where the kernel has no Landlock."""

    @pytest.fixture(autouse=True)
    def _no_landlock(self, bench, monkeypatch):
        monkeypatch.setattr(landlock, "abi", lambda: 0)

    def test_a_run_is_a_ledger_run_and_says_why(self, bench):
        done = bench.method(LEARNS).run()
        assert done.record["seal"]["mode"] == "not sealed"
        assert "has no Landlock" in done.record["seal"]["reason"]
        assert label_free(done.record) == "not sealed"

    def test_required_is_an_error(self, bench):
        with pytest.raises(RunError, match="cannot be sealed: this system has no Landlock"):
            bench.method(LEARNS).run(sealed="required")


def test_off_is_not_sealed_and_declared_supervision_is(bench):
    assert bench.method(LEARNS).run(sealed="off").record["seal"]["reason"] == "--sealed off"
    source = LEARNS.replace("    Options = Options", "    Options = Options\n    supervision = Supervision.MASKS")
    done = bench.method(source).run(sealed="required", force=True)
    assert (done.record["seal"]["mode"], done.record["supervision"]) == ("sealed", "masks")


def test_the_weakest_part_of_a_run_counts(bench):
    bench.method(LEARNS)
    bench.run(sealed="off")
    run = bench.plan().folder
    next((run.path / "predictions").iterdir()).unlink()
    run.update({"state": "started"})
    assert label_free(bench.run(sealed="required").record) == "not sealed"
    assert "an earlier call of this run worked without a seal" in run.record["seal"]["reason"]
    with pytest.raises(RunError, match="finished before, but not sealed; --force"):
        bench.run(sealed="required")
    assert label_free(bench.run(sealed="required", force=True).record) == "yes (sealed)"


def test_environment_is_not_handed_down(bench, monkeypatch):
    monkeypatch.setenv("SECRET_PLACE", "here")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    bench.method(
        "class Mine(Method):\n    name = 'mine'\n    def segment(self, volume, context):\n"
        "        context.note('note', {'value': dict(os.environ)})\n        return volume.empty_mask()\n"
    )
    environment = bench.notes(bench.run())[0]
    assert "SECRET_PLACE" not in environment
    assert environment["OMP_NUM_THREADS"] == "1"
    assert not Path(environment["HOME"]).exists()
    assert "/sandbox/" in environment["HOME"]


BY_ITS_OPTIONS = """
class Options(MethodOptions):
    read: bool = False

class Mine(Method):
    name = "mine"
    Options = Options
    @property
    def supervision(self):
        return Supervision.SLICE_LABELS if self.options.read else Supervision.NONE
    def fit(self, training, validation, context):
        if self.options.read:
            context.labels.slice_labels(training.case_ids[0], "classifier")
    def segment(self, volume, context):
        return volume.brain
"""


def test_a_method_whose_supervision_depends_on_options_is_sealed_where_it_declares_none(bench):
    bench.method(BY_ITS_OPTIONS)
    free, reading = bench.run(), bench.run(set={"read": True})
    assert (free.record["supervision"], label_free(free.record)) == ("none", "yes (sealed)")
    assert (reading.record["supervision"], label_free(reading.record)) == ("slice-labels", "no: 1 slice-labels")
    assert reading.record["seal"]["mode"] == "sealed"
