"""Files appear whole or not at all: written beside, flushed to disk, renamed. A full disk is said in one line.

Shares (SMB, FUSE, NFS, object stores) refuse some of the calls that make this safe against a power loss; there the
content is the same and only that guarantee is missing, so such a refusal is passed over.
"""

import errno
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import Any, BinaryIO

from unseg_bench.errors import DiskFullError, UbenchError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_ROOM_BYTES = 64 * 1024
_NOT_KNOWN_THERE = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM}
"""What a file system answers to a call that it does not have."""


def flush(descriptor: int, path: Path) -> None:
    """Bring an open file of `path` to the disk, where its file system can; any other error names `path`."""
    with _where_known(path):
        os.fsync(descriptor)


def set_mode(path: Path, mode: int) -> None:
    """Set the mode of a file or folder, where its file system has modes and we may set them."""
    with _where_known(path):
        path.chmod(mode)


@contextmanager
def _where_known(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_KNOWN_THERE:
            raise OSError(error.errno, error.strerror, str(path)) from error


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power loss (no effect where a folder cannot be opened or flushed)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        flush(descriptor, folder)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush every file below `folder`, and the folders that name them, to disk: it may get its final name then."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            with Path(parent, name).open("rb") as written:
                flush(written.fileno(), Path(parent, name))
        sync_folder(Path(parent))


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents; the new ones survive a power loss."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(new):
        sync_folder(path.parent)


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on any error it is removed.

    Raises DiskFullError naming the folder when its disk is full.
    """
    with room_on_disk(path.parent):
        temporary = _empty_file_beside(path)
    try:
        with room_on_disk(path.parent):
            yield temporary
            with temporary.open("rb+") as written:
                flush(written.fileno(), path)
            set_mode(temporary, 0o644)
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _empty_file_beside(path: Path) -> Path:
    make_folder(path.parent)
    suffix = "".join(path.suffixes[-2:])
    descriptor, name = mkstemp(prefix=f".{path.name}.", suffix=f".part{suffix}", dir=path.parent)
    os.close(descriptor)
    return Path(name)


def write_text(path: Path, text: str) -> None:
    r"""Write `text` to `path`, whole or not at all; bytes of names that are not UTF-8 as '\udcfc', as JSON does."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - whatever json can hold
    """Write `value` as indented JSON to `path`, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def append_line(path: Path, line: str, *, flushed: bool = False) -> None:
    """Append a line to `path`, `flushed` to disk; one that a crash cut short before it stays a line of its own."""
    with room_on_disk(path.parent):
        make_folder(path.parent)
        with path.open("ab+") as file:
            file.write(b"\n" * _ends_in_mid_line(file) + line.encode(errors="backslashreplace") + b"\n")
            if flushed:
                file.flush()
                flush(file.fileno(), path)


def _ends_in_mid_line(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def reserve(path: Path) -> None:
    """Give a sparse file its blocks now: a write into a memory map of it would kill the process on a full disk.

    Raises DiskFullError when there is no room. No effect where the system (macOS) or the file system cannot do it.
    """
    if hasattr(os, "posix_fallocate"):
        with room_on_disk(path.parent), path.open("rb+") as file, _where_known(path):
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


@contextmanager
def room_on_disk(folder: Path) -> Generator[None]:
    """Turn whatever fails inside into a DiskFullError when the cause is that the disk of `folder` is full."""
    try:
        yield
    except UbenchError:
        raise
    except Exception as error:
        if (full := full_disk(error, folder)) is not None:
            raise full from error
        raise


def full_disk(error: Exception, folder: Path) -> DiskFullError | None:
    """Return the error to raise when `error` came of a full disk under `folder`, else None.

    Libraries tell it in many ways: by number, in words alone (safetensors), or neither (numpy: '100 requested and 50
    written'), so the room that is left is looked at too, unless the system gave another cause.
    """
    while not folder.exists():
        folder = folder.parent
    number = getattr(error, "errno", None)
    said = number in _FULL or any(os.strerror(code) in str(error) for code in _FULL)
    if not said and (number is not None or shutil.disk_usage(folder).free >= _NO_ROOM_BYTES):
        return None
    return DiskFullError(
        f"{folder}: no space left on its disk ({type(error).__name__}: {error}). Free some (`ubench clean` shows what "
        "the cache holds), or have the cache elsewhere (UBENCH_CACHE) or the runs (--runs); the same command then goes "
        "on where it stood"
    )
