"""`ubench clean`: says what it would free, asks, and leaves what is in use."""

import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tests.cli.conftest import Ubench
from unseg_bench.data.paths import cache_dir


@pytest.fixture
def cache() -> Path:
    for name in ("stages/a-1", "stages/b-2.partial", "prepared/abc", "prepared/.part-x", "phantom/k", "weights"):
        folder = cache_dir() / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 1000)
    (cache_dir() / "stages/a-1.lock").touch()
    return cache_dir()


def left(cache: Path) -> set[str]:
    return {str(path.parent.relative_to(cache)) for path in cache.rglob("file")}


def test_nothing_goes_without_a_yes(ubench: Ubench, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    before = left(cache)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    shown = ubench("clean")
    assert "Free 5.0 kB?" in shown.out
    assert left(cache) == before


def test_all_kinds_go_and_weights_stay(ubench: Ubench, cache: Path) -> None:
    assert "freed 5.0 kB" in ubench("clean", "--yes").out
    assert left(cache) == {"weights"}
    assert "nothing to free" in ubench("clean", "--yes").out


def test_one_kind(ubench: Ubench, cache: Path) -> None:
    ubench("clean", "stages", "--yes")
    assert left(cache) == {"stages/b-2.partial", "prepared/abc", "prepared/.part-x", "phantom/k", "weights"}


def test_only_what_is_old(ubench: Ubench, cache: Path) -> None:
    long_ago = time.time() - 10 * 86_400
    os.utime(cache / "prepared/abc/file", (long_ago, long_ago))
    assert "freed 1.0 kB" in ubench("clean", "--yes", "--older-than", 9).out
    assert "prepared/abc" not in left(cache)


def test_a_stage_at_work_is_left(ubench: Ubench, cache: Path) -> None:
    with FileLock(cache / "stages/b-2.lock"):
        shown = ubench("clean", "partial", "--yes")
    assert "left 1 stage that a process is at work on" in shown.out
    assert "stages/b-2.partial" in left(cache)
    assert "prepared/.part-x" not in left(cache)


def test_stages_of_sealed_runs_go_too_unless_one_is_at_work(ubench: Ubench, cache: Path) -> None:
    for name in ("c-3", "partial/d-4.partial", "partial/e-5.partial"):
        folder = cache / "sealed/stages/owner" / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 1000)
    with FileLock(cache / "sealed/stages/owner/d-4.lock"):
        ubench("clean", "partial", "stages", "--yes")
    sealed = {path for path in left(cache) if path.startswith("sealed")}
    assert sealed == {"sealed/stages/owner/partial/d-4.partial"}
