"""In which order things reach the disk: content before the name, the name before anything that relies on it."""

import os
from pathlib import Path

import numpy as np
import pytest

from unseg_bench.data.atomic import make_folder, write_text
from unseg_bench.data.files import ImageFile
from unseg_bench.data.nifti import write_image
from unseg_bench.data.store import PreparedStore
from unseg_bench.plugins.history import History
from unseg_bench.plugins.stage import Call, Work, stage
from unseg_bench.plugins.stage_cache import StageCache
from unseg_bench.run.folder import RunFolder

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="names of open files come from /proc")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """('flush', path) and ('name', path) in the order in which they happen."""
    seen: list[tuple[str, str]] = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def flush(descriptor: int) -> None:
        seen.append(("flush", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def name(real):
        def call(source, target, **more) -> None:
            seen.append(("name", str(target)))
            real(source, target, **more)

        return call

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", name(replace))
    monkeypatch.setattr(os, "rename", name(rename))
    return seen


def test_a_file_is_flushed_then_named_then_its_folder_is_flushed(tmp_path: Path, events: list[tuple[str, str]]) -> None:
    write_text(tmp_path / "a.json", "{}")
    (first, temporary), *rest = events
    assert first == "flush"
    assert temporary.startswith(str(tmp_path / ".a.json."))
    assert rest == [("name", str(tmp_path / "a.json")), ("flush", str(tmp_path))]


def test_new_folders_are_flushed_from_the_outermost(tmp_path: Path, events: list[tuple[str, str]]) -> None:
    make_folder(tmp_path / "a" / "b")
    assert events == [("flush", str(tmp_path)), ("flush", str(tmp_path / "a"))]
    make_folder(tmp_path / "a" / "b")
    assert len(events) == 2


def test_a_stage_has_its_name_after_all_its_files_and_folders(tmp_path: Path, events: list[tuple[str, str]]) -> None:
    @stage("deep")
    def deep(work):
        (work.folder / "sub").mkdir()
        for name in ("a.txt", "sub/b.txt"):
            (work.folder / name).write_text("whole")

    cache, call = StageCache(tmp_path, tmp_path / "partial"), Call(deep, None, {}, 0)
    with cache.attempt("deep", call.key, device="cpu", history=History) as attempt:
        call.compute(Work(attempt.place.folder, attempt.place.scratch, 0, "cpu", lambda *_: None), {})
    artifact = attempt.result.artifact
    named = events.index(("name", str(artifact.folder)))
    before = {path for kind, path in events[:named] if kind == "flush"}
    result = artifact.folder.with_name(artifact.folder.name + ".new")
    assert {str(result / name) for name in ("a.txt", "sub/b.txt", "sub", "stage.json")} | {str(result)} <= before
    assert ("flush", str(tmp_path)) in events[named:]


def test_a_prepared_volume_has_its_name_after_its_files(tmp_path: Path, events: list[tuple[str, str]]) -> None:
    image = np.zeros((8, 9, 7), np.float32)
    image[2:6, 2:7, 2:5] = np.arange(60).reshape(4, 5, 3) + 1
    write_image(tmp_path / "x.nii.gz", image, np.diag([2.0, 2, 2, 1]))
    events.clear()
    case = PreparedStore(tmp_path / "store").prepare("x", ImageFile(tmp_path / "x.nii.gz"))
    named = events.index(("name", str(case.folder)))
    flushed = {Path(path).name for kind, path in events[:named] if kind == "flush"}
    assert {"image.npy", "brain.npy", "prepared.json"} <= flushed
    assert any(kind == "flush" and Path(path).name.startswith(".part-") for kind, path in events[:named])
    assert ("flush", str(tmp_path / "store")) in events[named:]


def test_a_log_line_that_was_cut_short_costs_only_itself(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.log("stage", {"stage": "a"})
    with run.log_file.open("a") as file:
        file.write('{"time": "2026-01-01T00:0')
    run.log("stage", {"stage": "b"})
    assert [event["stage"] for event in run.events()] == ["a", "b"]
