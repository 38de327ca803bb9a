"""Two processes at one run or stage: one works, the other waits and says who holds it."""

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from unseg_bench.data.atomic import make_folder, room_on_disk

_PATIENCE_S = 0.2


@contextmanager
def hold(path: Path, on_wait: Callable[[str], None]) -> Generator[None]:
    """Hold the lock file `path`; the kernel frees it when its process dies, however it dies.

    `on_wait` hears who holds it and since when, if we must wait. The file stays: taking it away would let two in.
    """
    with room_on_disk(path.parent):
        make_folder(path.parent)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout:
            on_wait(f"waiting: {_holder(path)} is at {path.stem}")
            lock.acquire()
    try:
        _write_down(path, f"process {os.getpid()} (since {time.strftime('%Y-%m-%d %H:%M:%S')})")
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
