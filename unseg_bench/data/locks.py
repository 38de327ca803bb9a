"""Locks between processes, also of several machines, on file systems that have `flock` and on those that lack it."""

import errno
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from unseg_bench.data.atomic import full_disk
from unseg_bench.errors import RunError

if TYPE_CHECKING:
    from filelock import BaseFileLock

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
