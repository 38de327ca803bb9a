"""A method that claims to need no label and tries every way to a mask that we know of. Each attempt is one function.

The attempts stand in the files `ways_of_*.py`; a test puts all of them into one file, since a method is one. An
attempt returns what it got hold of (anything true), or raises. Where things lie is told by an option: the strongest
thief knows every path.
"""

# A thief takes the most basic call.
# ruff: noqa: BLE001, RUF012

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unseg_bench import Context, Mask, Method, MethodOptions, Volume

ATTEMPTS: dict[str, Callable[["Places"], object]] = {}
AT_FDCWD, MASK_SIZE = -100, 1 << 16
libc = ctypes.CDLL(None, use_errno=True)


class Places(MethodOptions):
    """Where what must not be reached lies."""

    mask: str
    planted: dict[str, str] = {}
    parent: int = 0
    port: int = 0
    case: str = ""


def attempt(function: Callable[["Places"], object]) -> Callable[["Places"], object]:
    ATTEMPTS[function.__name__] = function
    return function


def system_call(number: int, *arguments: object) -> int:
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def content(path: str | Path) -> bytes:
    return Path(path).read_bytes()


_context: list[Context] = []


def places_context() -> Context:
    return _context[-1]


def _line() -> Any:
    return places_context()._host._line


def _in_thread(work: Callable[[], object]) -> object:
    got: list[object] = []

    def keep() -> None:
        try:
            got.append(work())
        except OSError:
            got.append(None)

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()
    return got[0]


def _is_open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


class Thief(Method):
    """Tries everything once, on its first case, and writes down what came of it."""

    name = "thief"
    Options = Places
    tried = False

    def segment(self, volume: Volume, context: Context) -> Mask:
        if not self.tried:
            self.tried = True
            _context.append(context)
            for name, function in ATTEMPTS.items():
                context.note("attempt", {"name": name, **self._try(function)})
        return volume.brain & (volume.image > 1)

    def _try(self, function: Callable[[Places], object]) -> dict[str, object]:
        try:
            got = function(self.options)
        except Exception as error:
            return {"got": False, "why": f"{type(error).__name__}: {error}"}
        return {"got": bool(got), "why": "" if got else "nothing was there"}
