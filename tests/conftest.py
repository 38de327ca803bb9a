"""Fixtures for every package."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: two of them with two threads each wait for one another, five times as long as with one.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with real cases and reference values beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("no ../shared with real cases beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache of its own, so that no test sees what another one cached."""
    monkeypatch.setenv("UBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def working_in() -> Callable[[Path], list[Path]]:
    """List this machine's processes whose working folder is below one, by their folder in /proc; no zombies."""

    def find(folder: Path) -> list[Path]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cwd").readlink().is_relative_to(folder.resolve()):
                    found.append(process)
        return found

    return find
