"""Locks between processes, also of several machines, on file systems that have `flock` and on those that lack it."""

import errno
import os
import platform
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from unseg_bench.data.atomic import full_disk, make_folder, room_on_disk
from unseg_bench.errors import RunError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PATIENCE_S = 0.2
"""Before somebody is told that we wait."""
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
"""What Lustre without -o flock, NFS without lockd, and others answer."""


def file_lock(path: Path) -> "BaseFileLock":
    """Return a lock for the file `path`, not yet held; the folder must be there.

    With `flock` the kernel frees it when its process dies, and `path` stays. Without, `marker_of(path)` is there while
    it is held and names process and machine: a dead process of the same machine is noticed, one of another machine is
    not. Raises RunError naming the folder where nothing can be locked.
    """
    from filelock import FileLock, SoftFileLock

    return FileLock(path) if has_flock(path.parent) else SoftFileLock(marker_of(path))


def marker_of(path: Path) -> Path:
    """Return the file that is there while the lock `path` is held, on a file system without `flock`."""
    return path.with_suffix(".held.lock")


@cache
def has_flock(folder: Path) -> bool:
    """Whether the file system of `folder` knows `flock`, tried once; raises RunError naming the folder."""
    import fcntl

    try:
        with TemporaryFile(dir=folder) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise full_disk(error, folder) or RunError(
            f"{folder}: files there cannot be locked ({error.strerror}); have the cache elsewhere (UBENCH_CACHE) or "
            "the runs (--runs)"
        ) from error
    return True


@contextmanager
def hold(path: Path, on_wait: Callable[[str], None]) -> Generator[None]:
    """Hold the lock file `path`, which stays: taking it away would let two in. A dead process holds nothing.

    `on_wait` hears who holds it and since when, if we must wait. Raises RunError as `file_lock`, or for a full disk.
    """
    with room_on_disk(path.parent):
        make_folder(path.parent)
        from filelock import Timeout

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
