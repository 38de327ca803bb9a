"""A sealed process tries its own bars before it runs any code of the plugin: each attempt must be refused."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence

READ, LIST, CONNECT, WRITE = "read", "list", "connect", "write"


def try_all(probes: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Try each probe ({'what', 'kind', 'path'}); return it with 'answer': the kernel's error, or 'not refused'."""
    return [{**probe, "answer": _try(_ATTEMPTS[probe["kind"]], probe["path"])} for probe in probes]


def _try(attempt: Callable[[str], None], path: str) -> str:
    try:
        attempt(path)
    except PermissionError as error:
        return str(error.strerror)
    except OSError as error:
        return f"not refused ({error.strerror})"
    return NOT_REFUSED


NOT_REFUSED = "not refused"


def _read(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def _list(path: str) -> None:
    os.listdir(path)  # noqa: PTH208 - the system call itself is what is tried


def _write(path: str) -> None:
    os.close(os.open(os.path.join(path, ".probe"), os.O_WRONLY | os.O_CREAT))  # noqa: PTH118


def _connect(path: str) -> None:
    family = socket.AF_UNIX if path == "local" else socket.AF_INET
    socket.socket(family, socket.SOCK_STREAM).close()


_ATTEMPTS: dict[str, Callable[[str], None]] = {READ: _read, LIST: _list, WRITE: _write, CONNECT: _connect}
