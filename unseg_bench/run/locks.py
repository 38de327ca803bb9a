"""Two processes at one run or stage: one works, the other waits and says so."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def hold(path: Path, on_wait: Callable[[str], None]) -> Generator[None]:
    """Hold the lock file `path`; the kernel frees it when its process dies. `on_wait` hears of it when we must wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0.2)
    except Timeout:
        on_wait(f"waiting: another process is at {path.stem}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
