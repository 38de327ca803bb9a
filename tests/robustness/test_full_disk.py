"""A full disk ends with one clear line, and what was finished is kept: the same command goes on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.robustness.conftest import Result, Ubench
from unseg_bench.data.atomic import reserve, whole_file, write_json
from unseg_bench.data.locks import hold
from unseg_bench.errors import RunError
from unseg_bench.plugins.history import History
from unseg_bench.plugins.stage import Artifact, Call, Work, stage
from unseg_bench.plugins.stage_cache import StageCache
from unseg_bench.run.folder import RunFolder

Fill = Callable[[], Path]
TOO_MUCH = 8_000_000


def error_of(result: Result) -> str:
    lines = [line for line in result.err.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.err
    return lines[0]


def write_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.ones(TOO_MUCH, np.uint8))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(bytes(TOO_MUCH)),
        write_array,
        lambda path: torch.save(torch.ones(TOO_MUCH, dtype=torch.uint8), path),
        lambda path: save_file({"a": torch.ones(TOO_MUCH, dtype=torch.uint8)}, path),
    ],
    ids=["bytes", "numpy", "torch", "safetensors"],
)
def test_every_writer_says_the_same_and_leaves_nothing(small_disk: Path, write: Callable[[Path], object]) -> None:
    def attempt() -> None:
        with whole_file(small_disk / "result.bin") as part:
            write(part)

    with pytest.raises(RunError, match=r"disk: no space left on its disk .*ubench clean.*UBENCH_CACHE.*goes on"):
        attempt()
    assert list(small_disk.iterdir()) == []


def test_an_old_file_survives(small_disk: Path, fill: Fill) -> None:
    write_json(small_disk / "run.json", {"old": 1})
    fill()
    with pytest.raises(RunError, match="no space left"):
        write_json(small_disk / "run.json", {"new": "x" * 10_000})
    assert (small_disk / "run.json").read_text().split() == ["{", '"old":', "1", "}"]


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    def attempt() -> None:
        with whole_file(tmp_path / "result.bin"):
            raise ValueError("another matter")

    with pytest.raises(ValueError, match="another matter"):
        attempt()


def test_a_memory_map_gets_its_room_before_it_is_written(small_disk: Path) -> None:
    """Otherwise the first page that does not fit kills the process with SIGBUS."""
    np.lib.format.open_memmap(small_disk / "a.npy", mode="w+", dtype=np.uint8, shape=(TOO_MUCH,))
    with pytest.raises(RunError, match="no space left"):
        reserve(small_disk / "a.npy")
    np.lib.format.open_memmap(small_disk / "b.npy", mode="w+", dtype=np.uint8, shape=(1000,))
    reserve(small_disk / "b.npy")
    assert np.load(small_disk / "b.npy").sum() == 0


def made(cache: StageCache, call: Call) -> Artifact:
    with cache.attempt(call.stage.name, call.key, device="cpu", history=History) as attempt:
        call.compute(Work(attempt.place.folder, attempt.place.scratch, 0, "cpu", lambda *_: None), {})
    return attempt.result.artifact


def test_a_stage_goes_on_where_it_stood(small_disk: Path, fill: Fill) -> None:
    seen: list[bool] = []

    @stage("large")
    def large(work, options=None):
        seen.append((work.scratch / "half").is_file())
        (work.scratch / "half").touch()
        np.save(work.folder / "value.npy", np.ones(1_000_000, np.uint8))

    cache, call = StageCache(small_disk / "stages", small_disk / "partial"), Call(large, None, {}, 0)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(2_500_000))
    with pytest.raises(RunError, match="no space left on its disk"):
        made(cache, call)
    assert cache.look_up("large", call.key) is None
    filler.unlink()
    assert int(made(cache, call).array("value").sum()) == 1_000_000
    assert seen == [False, True]


def test_locks_and_logs_say_it_too(small_disk: Path, fill: Fill) -> None:
    with hold(small_disk / "old.lock", lambda _: None):
        pass
    RunFolder(small_disk / "run").log("stage", {"stage": "a"})
    fill()
    with pytest.raises(RunError, match="no space left"):
        RunFolder(small_disk / "run").log("stage", {"stage": "b" * 10_000})
    with hold(small_disk / "old.lock", lambda _: None):
        pass
    assert RunFolder(small_disk / "run").events()[0]["stage"] == "a"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["cache", "runs"])
def test_a_run_ends_with_one_line_and_the_same_command_finishes_it(
    ubench: Ubench, tiny: Path, data: list[str], small_disk: Path, fill: Fill, what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    quiet = ubench("run", tiny, *data, "--runs", "quiet", "--json").json["runs"][0]
    command: list[object] = ["run", tiny, *data, "--json"]
    if what == "cache":
        monkeypatch.setenv("UBENCH_CACHE", str(small_disk / "cache"))
    else:
        command += ["--runs", small_disk / "runs"]
    filler = fill()
    failed = ubench(*command)
    assert failed.code == 1
    line = error_of(failed)
    assert str(small_disk) in line
    assert "no space left" in line
    assert "the same command then goes on" in line
    filler.unlink()
    done = ubench(*command)
    assert done.code == 0, done.err
    assert done.json["runs"][0]["dsc"] == quiet["dsc"]
    assert not [path for path in small_disk.rglob("*") if ".part" in path.name]
