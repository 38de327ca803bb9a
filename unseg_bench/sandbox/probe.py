"""A sealed process tries its own bars before it runs any code of the plugin: each attempt must be refused."""

import errno
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from unseg_bench.sandbox.syscalls import checked, libc

READ, LIST, CONNECT, WRITE, PROCESS = "read", "list", "connect", "write", "process"
NOT_REFUSED = "not refused"
_REFUSALS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ESRCH}
"""By Landlock or seccomp, by a mount that is read-only, and by a process that cannot be seen."""


def try_all(probes: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Try each probe ({'what', 'kind', 'path'}); return it with 'answer': the kernel's error, or 'not refused'."""
    return [{**probe, "answer": _try(_ATTEMPTS[probe["kind"]], probe["path"])} for probe in probes]


def of_process(process: int) -> list[dict[str, str]]:
    """Return the probes of another process by its id: signals, limits, memory and queues shared with it."""
    attempts = {
        "signal": "send the runner a signal",
        "limit": "limit the runner's time",
        "queue": "send to a queue of messages",
        "pair": "make a pair of sockets",
    }
    return [{"what": what, "kind": PROCESS, "path": f"{name} {process}"} for name, what in attempts.items()]


def _try(attempt: Callable[[str], None], path: str) -> str:
    try:
        attempt(path)
    except OSError as error:
        refused = error.errno in _REFUSALS or (error.errno == errno.ENOENT and _is_of_a_process(path))
        return str(error.strerror) if refused else f"{NOT_REFUSED} ({error.strerror})"
    return NOT_REFUSED


def _is_of_a_process(path: str) -> bool:
    """Whether a path is in another process's folder of /proc: not there means not seen, which is a refusal."""
    return path.startswith("/proc/") and path.split("/")[2].isdecimal()


def _read(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def _list(path: str) -> None:
    os.listdir(path)  # noqa: PTH208 - the system call itself is what is tried


def _write(path: str) -> None:
    os.close(os.open(os.path.join(path, ".probe"), os.O_WRONLY | os.O_CREAT))  # noqa: PTH118


def _connect(path: str) -> None:
    family = socket.AF_UNIX if path == "local" else socket.AF_INET
    socket.socket(family, socket.SOCK_STREAM).close()


def _reach(path: str) -> None:
    name, process = path.split()
    {"signal": _signal, "limit": _limit, "queue": _queue, "pair": _pair}[name](int(process))


def _signal(process: int) -> None:
    os.kill(process, signal.SIGCONT)


def _limit(process: int) -> None:
    resource.prlimit(process, resource.RLIMIT_CPU)


def _queue(_: int) -> None:
    checked(libc().msgget(0, 0o600 | 0o1000))


def _pair(_: int) -> None:
    with suppress(ValueError):
        for end in socket.socketpair():
            end.close()


_ATTEMPTS: dict[str, Callable[[str], None]] = {
    READ: _read,
    LIST: _list,
    WRITE: _write,
    CONNECT: _connect,
    PROCESS: _reach,
}
