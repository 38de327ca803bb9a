"""SHA-256 of files. An index spares reading a file again whose status is what it was; it never decides anything else.

The index is `digests.sqlite` in the cache, locked and atomic by SQLite. Trusted: a file whose path, device, inode,
size, time of change and time of status change (nanoseconds) all are what they were holds what it held. A file that
changed less than two seconds ago is always read, since a second change might leave no trace in its times.
"""

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from unseg_bench.data.paths import cache_dir
from unseg_bench.data.visible import visible
from unseg_bench.errors import DataError

SETTLED_S = 2.0
"""Age from which a file's times tell it from any later content: more than the coarsest clock of a file system."""
_READERS = 4
_TABLE = (
    "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, device TEXT, inode TEXT, size INTEGER, "
    "mtime_ns INTEGER, ctime_ns INTEGER, sha256 TEXT NOT NULL) WITHOUT ROWID"
)
_FIND = (
    "SELECT sha256 FROM files WHERE path = ? AND device = ? AND inode = ? AND size = ? AND mtime_ns = ? "
    "AND ctime_ns = ?"
)


class _Status(NamedTuple):
    """What a file's content is known by. Device and inode are text: they may need all 64 bits, without a sign."""

    path: str
    device: str
    inode: str
    size: int
    mtime_ns: int
    ctime_ns: int

    @property
    def settled(self) -> bool:
        """Whether the file changed long enough ago."""
        return time.time_ns() - max(self.mtime_ns, self.ctime_ns) > SETTLED_S * 1e9


_known: dict[_Status, str] = {}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal; raises DataError when it cannot be read."""
    return file_digests([path])[path]


def file_digests(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the SHA-256 of each file; raises DataError naming the first that is not there or cannot be read."""
    found: dict[Path, str] = {}
    for path, digest in _look(list(dict.fromkeys(paths))).items():
        if isinstance(digest, DataError):
            raise digest
        found[path] = digest
    return found


def digests_of_readable(paths: Iterable[Path]) -> dict[Path, str | None]:
    """Return the SHA-256 of each file, None where there is no file that can be read."""
    found = _look(list(dict.fromkeys(paths)))
    return {path: digest if isinstance(digest, str) else None for path, digest in found.items()}


def refuse_change(path: Path, sha256: str) -> None:
    """Raise DataError when a file that was just read no longer holds what it held before."""
    if file_digest(path) != sha256:
        raise _changing(path)


def _look(paths: Sequence[Path]) -> dict[Path, str | DataError]:
    statuses = {path: status for path in paths if (status := _status_if_any(path)) is not None}
    _known.update(_read_index([status for status in statuses.values() if status not in _known]))
    found: dict[Path, str | DataError] = {path: _known[own] for path, own in statuses.items() if own in _known}
    unread = [path for path in paths if path not in found]
    if len(unread) > 1:
        from concurrent.futures import ThreadPoolExecutor  # loads logging, which a comparison never needs

        with ThreadPoolExecutor(_READERS, "digest") as pool:
            read = dict(zip(unread, pool.map(_try_read, unread), strict=True))
    else:
        read = {path: _try_read(path) for path in unread}
    lasting = dict(one for one in read.values() if not isinstance(one, DataError) and one[0].settled)
    _known.update(lasting)
    _write_index(lasting)
    found |= {path: one if isinstance(one, DataError) else one[1] for path, one in read.items()}
    return {path: found[path] for path in paths}


def _status_if_any(path: Path) -> _Status | None:
    with suppress(DataError):
        return _status(path)
    return None


def _status(path: Path) -> _Status:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path}: is no file; a .nii or .nii.gz file is needed")
    return _Status(
        visible(os.path.abspath(path)),  # noqa: PTH100 - quicker; where a link leads is told by the inode
        str(found.st_dev),
        str(found.st_ino),
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


def _try_read(path: Path) -> tuple[_Status, str] | DataError:
    """Read a file; it must have the same status before and after, so that the digest is that of one content."""
    try:
        for _ in range(3):
            before = _status(path)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if _status(path) == before:
                return before, digest
    except DataError as error:
        return error
    except OSError as error:
        return _unreadable(path, error)
    return _changing(path)


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror}); a .nii or .nii.gz file is needed")


def _changing(path: Path) -> DataError:
    return DataError(f"{path}: changes while it is read; call again when it is written")


def _read_index(statuses: Sequence[_Status]) -> dict[_Status, str]:
    found: dict[_Status, str] = {}
    if statuses:
        with suppress(sqlite3.Error, OSError), _index() as index:
            for status in statuses:
                if (row := index.execute(_FIND, status).fetchone()) is not None:
                    found[status] = str(row[0])
    return found


def _write_index(digests: dict[_Status, str]) -> None:
    if digests:
        rows = [(*status, digest) for status, digest in digests.items()]
        with suppress(sqlite3.Error, OSError), _index() as index, index:
            index.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


@contextmanager
def _index() -> Generator[sqlite3.Connection]:
    """Open the index; one that is damaged goes, and what cannot be used at all costs time alone: files are read."""
    path = cache_dir() / "digests.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(path, timeout=1.0)) as index:
            index.execute(_TABLE)
            yield index
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        raise
