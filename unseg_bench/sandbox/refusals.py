"""Answers the calls that a sealed process's filter refuses, and writes down each kind of them once.

It runs outside the seal: the sealed process waits in the kernel for the answer, and can neither see nor change what is
written. Calls that are allowed do not come here and cost nothing.
"""

import errno
import fcntl
import os
import struct
from contextlib import suppress

from unseg_bench.sandbox import syscalls
from unseg_bench.sandbox.seccomp import REFUSED

_RECEIVE, _ANSWER = 0xC0502100, 0xC0182101
_NOTICE = struct.Struct("=QIIiIQ6Q")
_REPLY = struct.Struct("=QqiI")
_TOLD_ARGUMENT = {"ioctl": 1, "fcntl": 1, "prctl": 0}
"""Calls that are many calls in one: the number of this argument says which."""
_MOST_LINES = 200


class Refusals:
    """The calls refused so far, each written as one line to `told` the first time, before the process hears of it."""

    def __init__(self, listener: int, told: int) -> None:
        self._listener, self._told = listener, told
        self._names = {number: name for name, number in syscalls.numbers(os.uname().machine).items()}
        self._seen: set[str] = set()

    def forget(self) -> None:
        """Start anew: what was refused so far were attempts of the harness's own."""
        self._seen.clear()

    def answer(self) -> None:
        """Answer one call; `listener` must have one."""
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, notice)
            number, _, _, call, _, _, *arguments = _NOTICE.unpack(notice)
            self._write_down(call, arguments)
            fcntl.ioctl(self._listener, _ANSWER, _REPLY.pack(number, 0, -REFUSED, 0))
        except OSError as error:
            # The caller was killed or interrupted meanwhile.
            if error.errno not in {errno.ENOENT, errno.EINTR}:
                raise

    def _write_down(self, call: int, arguments: list[int]) -> None:
        name = self._names.get(call, f"call {call}")
        if name in _TOLD_ARGUMENT:
            name += f" {arguments[_TOLD_ARGUMENT[name]] & 0xFFFFFFFF:#x}"
        if name not in self._seen and len(self._seen) < _MOST_LINES:
            self._seen.add(name)
            with suppress(BrokenPipeError):  # the runner is gone, and this process will be
                os.write(self._told, f"{name}\n".encode())
