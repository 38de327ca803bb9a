"""`ubench clean`: says what it would free, asks, and leaves what is in use."""

import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tests.cli.conftest import Ubench
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import RunError
from unseg_bench.plugins.history import History
from unseg_bench.plugins.stage_cache import StageCache

RESULT, VARIANT = f"stages/owner/train-{24 * '1'}", f"stages/owner/train-{24 * '1'}.0123abcd"
UNFINISHED = f"partial/run-1/train-{24 * '2'}"


@pytest.fixture
def cache() -> Path:
    for name in (RESULT, VARIANT, UNFINISHED, "prepared/abc", "prepared/.part-x", "phantom/k", "weights"):
        folder = cache_dir() / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 1000)
    (cache_dir() / f"{RESULT}.lock").touch()
    return cache_dir()


def left(cache: Path) -> set[str]:
    return {str(path.parent.relative_to(cache)) for path in cache.rglob("file")}


def test_nothing_goes_without_a_yes(ubench: Ubench, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    before = left(cache)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    shown = ubench("clean")
    assert "Free 6.0 kB?" in shown.out
    assert left(cache) == before


def test_all_kinds_go_and_weights_stay(ubench: Ubench, cache: Path) -> None:
    assert "freed 6.0 kB" in ubench("clean", "--yes").out
    assert left(cache) == {"weights"}
    assert "nothing to free" in ubench("clean", "--yes").out


def test_one_kind(ubench: Ubench, cache: Path) -> None:
    ubench("clean", "stages", "--yes")
    assert left(cache) == {UNFINISHED, "prepared/abc", "prepared/.part-x", "phantom/k", "weights"}
    assert (cache / f"{RESULT}.lock").is_file()


def test_only_what_is_old(ubench: Ubench, cache: Path) -> None:
    long_ago = time.time() - 10 * 86_400
    os.utime(cache / "prepared/abc/file", (long_ago, long_ago))
    assert "freed 1.0 kB" in ubench("clean", "--yes", "--older-than", 9).out
    assert "prepared/abc" not in left(cache)


def test_a_stage_at_work_is_left_finished_or_not(ubench: Ubench, cache: Path) -> None:
    with FileLock(cache / f"stages/owner/{Path(UNFINISHED).name}.lock"):
        shown = ubench("clean", "partial", "--yes")
    assert "left 1 stage that a process is at work on" in shown.out
    assert UNFINISHED in left(cache)
    assert "prepared/.part-x" not in left(cache)
    with FileLock(cache / f"{RESULT}.lock"):
        shown = ubench("clean", "partial", "stages", "--yes")
    assert "left 2 stages that a process is at work on" in shown.out
    assert left(cache) >= {RESULT, VARIANT}
    assert UNFINISHED not in left(cache)


def test_it_finds_the_results_and_unfinished_stages_of_the_stage_cache(ubench: Ubench) -> None:
    cache, key = StageCache(cache_dir() / "stages" / "owner", cache_dir() / "partial" / "run-1"), {"stage": "train"}
    with cache.attempt("train", key, device="cpu", history=lambda: History(mode="ledger")) as attempt:
        (attempt.place.folder / "file").write_bytes(b"x")
    killed = cache.attempt("other", key, device=str, history=History)
    attempt = killed.__enter__()
    (attempt.place.scratch / "file").write_bytes(b"x")
    assert not killed.__exit__(RunError, RunError("killed"), None)
    assert len(left(cache_dir())) == 2
    ubench("clean", "--yes")
    assert left(cache_dir()) == set()
    assert sorted(path.suffix for path in cache.folder.iterdir()) == [".lock", ".lock"]
