"""Where things live on the user's machine, and case ids and names that are safe to become file names."""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from unseg_bench.errors import DataError, SettingsError

_CACHE = "UBENCH_CACHE"
_CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_ALTERNATIVE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")


def cache_dir() -> Path:
    """Folder of everything that can be made again: `$UBENCH_CACHE`, or `unseg-bench` in the user's cache.

    Raises SettingsError for a user without a home folder.
    """
    if own := os.environ.get(_CACHE):
        return Path(own).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "unseg-bench"
    if (home := home_dir()) is None:
        raise SettingsError("this user has no home folder for the cache; set UBENCH_CACHE to a folder (or HOME)")
    return home / ".cache" / "unseg-bench"


def home_dir() -> Path | None:
    """Return the user's home folder; None for a user that has none, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


@contextmanager
def cache_at(folder: Path) -> Generator[None]:
    """Have the cache in another folder inside the block, for this process and those that it starts."""
    before = os.environ.get(_CACHE)
    os.environ[_CACHE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CACHE]
        else:
            os.environ[_CACHE] = before


def check_case_id(case_id: str) -> str:
    """Return `case_id` if it can be a file name as it is; raise DataError otherwise.

    Ids come from data, so `../x`, a newline or an absolute path must never reach the file system.
    """
    if not _CASE_ID.fullmatch(case_id) or ".." in case_id:
        raise DataError(
            f"case id {case_id!r} cannot be used as a file name: letters, digits, '.', '_', '+' and '-' only, "
            "starting with a letter or digit, at most 128 characters; rename the file or choose another glob"
        )
    return case_id


def check_alternative_name(name: str) -> str:
    """Return the name of a method's alternative answer if it can be a folder's; raises ValueError otherwise."""
    if not is_alternative_name(name):
        raise ValueError(
            f"alternative {name!r}: a name is 1 to 64 letters, digits, '-', '_' and '.', and does not start with '.'"
        )
    return name


def is_alternative_name(name: str) -> bool:
    """Whether a name can be that of an alternative answer."""
    return _ALTERNATIVE.fullmatch(name) is not None
