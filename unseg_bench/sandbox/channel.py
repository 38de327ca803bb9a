"""The line between the runner and the sealed process: messages of JSON and bytes; the runner can hand over open files.

Nothing that comes from the sealed process is ever unpickled, and no file of its is taken.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

Message: TypeAlias = "dict[str, Any]"

_HEADER = struct.Struct("!QQ")
_MOST_TEXT, _MOST_BYTES = 64 << 20, 4 << 30
_MOST_FILES = 4


class Closed(Exception):  # noqa: N818 - how a conversation ends, not an error yet
    """The other side is gone."""


class Channel:
    """One end of the line. A message is a JSON object, with bytes beside it and, from the runner, open files."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._sending = threading.Lock()

    def send(self, message: Message, payload: bytes = b"", files: Sequence[int] = ()) -> None:
        """Send a message; raises Closed when nobody listens any more."""
        text = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
        head = _HEADER.pack(len(text), len(payload))
        try:
            with self._sending:
                sent = socket.send_fds(self._line, [head], files) if files else self._line.send(head)
                self._line.sendall(head[sent:] + text)
                self._line.sendall(payload)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def receive(self, *, take_files: bool = False) -> tuple[Message, bytes, list[int]]:
        """Return the next message with its bytes and open files; raises Closed at the end of the line.

        Files are only taken where `take_files` is set; others are closed by the kernel.
        """
        head, files = self._head(take_files)
        text_size, payload_size = _HEADER.unpack(head)
        if text_size > _MOST_TEXT or payload_size > _MOST_BYTES:
            raise ValueError(f"a message of {text_size} + {payload_size} bytes is too long")
        message: object = json.loads(self._exactly(text_size).decode("utf-8", "surrogatepass"))
        if not isinstance(message, dict):
            raise TypeError("a message must be a JSON object")
        return cast("Message", message), bytes(self._exactly(payload_size)), files

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _head(self, take_files: bool) -> tuple[bytes, list[int]]:
        if not take_files:
            return bytes(self._exactly(_HEADER.size)), []
        try:
            first, files, _, _ = socket.recv_fds(self._line, _HEADER.size, _MOST_FILES)
        except ConnectionResetError:
            raise Closed from None
        if not first:
            raise Closed
        for file in files:
            os.set_inheritable(file, False)
        return first + bytes(self._exactly(_HEADER.size - len(first))), list(files)

    def _exactly(self, size: int) -> bytearray:
        received = bytearray(size)
        view, done = memoryview(received), 0
        while done < size:
            try:
                count = self._line.recv_into(view[done:])
            except ConnectionResetError:
                raise Closed from None
            if count == 0:
                raise Closed
            done += count
        return received
