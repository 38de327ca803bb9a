"""Two processes at one run or stage: one works, the other waits and says who holds it."""

import os
import platform
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from unseg_bench.data.atomic import make_folder, room_on_disk
from unseg_bench.data.locks import file_lock, has_flock, marker_of

_PATIENCE_S = 0.2


@contextmanager
def hold(path: Path, on_wait: Callable[[str], None]) -> Generator[None]:
    """Hold the lock file `path`, which stays: taking it away would let two in. A dead process holds nothing.

    `on_wait` hears who holds it and since when, if we must wait. Raises RunError as `file_lock`, or for a full disk.
    """
    with room_on_disk(path.parent):
        make_folder(path.parent)
        lock = file_lock(path)
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout:
            on_wait(f"waiting: {_holder(path)} is at {path.stem}{_remedy(path)}")
            lock.acquire()
    try:
        _write_down(path, f"process {os.getpid()} of {platform.node()} (since {time.strftime('%Y-%m-%d %H:%M:%S')})")
        yield
    finally:
        _write_down(path, "")
        lock.release()


def _write_down(path: Path, holder: str) -> None:
    """Leave word of who holds the lock; a full disk is no reason to fail, since only the message needs it."""
    with suppress(OSError):
        path.write_text(holder, encoding="utf-8")


def _holder(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8").strip() or "another process"
    return "another process"


def _remedy(path: Path) -> str:
    if has_flock(path.parent):
        return ""
    return f". The file system has no locks (flock): if that process is gone, remove {marker_of(path)}"
