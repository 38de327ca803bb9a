"""The bytes of a NIfTI file, unpacked where it is gzip: never more of them than the caller asks for."""

from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import cast

from unseg_bench.data.not_fetched import not_fetched
from unseg_bench.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_CUT_SHORT = "the gzip file is cut short; copy or download it again"
_FIRST_BYTES = 1 << 16
_SLACK = 1 << 20
"""So many bytes behind the image's own are taken for padding; a file with more is not what its header says."""


def read_start(path: Path, size: int) -> bytes:
    """Return up to `size` bytes from the start of a file, unpacked. Raises DataError for a file that is not there."""
    block = _read(path, _FIRST_BYTES)
    if not block.startswith(_GZIP_MAGIC):
        return block[:size]
    start, complete = _gunzip(path, block, size)
    if len(start) < size and not complete:
        raise DataError(f"{path}: {_CUT_SHORT}")
    return start


def read_whole(path: Path, size: int) -> bytes:
    """Return a file unpacked, which is to hold `size` bytes; fewer are returned where there are fewer.

    Raises DataError where a gzip file is damaged or cut short, or holds far more than `size`: no more is unpacked.
    """
    # Random bytes do not shrink, but grow by far less than this under gzip.
    block = _read(path, size + size // 100 + _SLACK)
    if not block.startswith(_GZIP_MAGIC):
        return block[:size] if len(block) > size else block
    whole, complete = _gunzip(path, block, size + _SLACK)
    if len(whole) >= size + _SLACK:
        raise DataError(f"{path}: holds far more than the {size} bytes of its header; export the image again")
    if not complete:
        raise DataError(f"{path}: {_CUT_SHORT}")
    return whole


def _read(path: Path, most: int) -> bytes:
    if reason := not_fetched(path):
        raise DataError(f"{path}: is {reason}")
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode) and not S_ISDIR(status.st_mode):
            raise DataError(f"{path}: is a device or a pipe; a readable .nii or .nii.gz file is needed")
        with path.open("rb") as file:
            block = file.read(min(most, status.st_size))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); a readable .nii or .nii.gz file is needed"
        ) from None
    if not block:
        raise DataError(f"{path}: the file is empty (0 bytes); copy it again")
    return block


def _gunzip(path: Path, block: bytes, most: int) -> tuple[bytes, bool]:
    """Unpack the members of a gzip file up to `most` bytes, and say whether all of them ended.

    The checksums of those that ended were compared on the way.
    """
    from zlib_ng import zlib_ng

    damaged = cast("type[Exception]", zlib_ng.error)
    parts: list[bytes] = []
    complete = True
    while block.startswith(_GZIP_MAGIC) and most > 0 and complete:
        member = zlib_ng.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(block, most))
        except damaged as error:
            raise DataError(f"{path}: damaged gzip file ({error}); copy or download it again") from None
        most -= len(parts[-1])
        complete = member.eof
        block = member.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts), complete
