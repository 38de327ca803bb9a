"""The runner's end of a sealed process: it starts it, makes sure that it is locked, calls it, and ends it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from unseg_bench.errors import RunError
from unseg_bench.sandbox import landlock
from unseg_bench.sandbox.channel import Channel, Closed, Message
from unseg_bench.sandbox.child import BOOT
from unseg_bench.sandbox.landlock import Rule
from unseg_bench.sandbox.policy import import_paths
from unseg_bench.sandbox.probe import NOT_REFUSED
from unseg_bench.sandbox.wire import describe_error, revive_error
from unseg_bench.sandbox.workspace import Workspace

Answer = tuple[Message, Sequence[int]]
"""What the runner answers a question with: a message, and open files (which are closed once they are sent)."""
_SECONDS_TO_START = 60.0


class NotSealed(Exception):  # noqa: N818 - the runner decides whether that is an error
    """The lock cannot be shut, or something behind it could still be reached; the message says what."""


class ProcessLost(RunError):  # noqa: N818 - said of the process
    """The sealed process ended in the middle of a call."""


class SandboxProcess:
    """A sealed process. `ask` answers its questions, `tell` hears its words; both run in the calling thread.

    A question's bytes are its 'payload'.

    Use it as a context manager: on leaving, the process and all that it started in its session are killed.
    """

    def __init__(
        self,
        room: Workspace,
        rules: Sequence[Rule],
        probes: Sequence[dict[str, str]],
        serve: str,
        given: Message,
        ask: Callable[[Message], Answer],
        tell: Callable[[Message], None],
    ) -> None:
        """Start and lock the process, which then calls `serve` ('module:function') with its channel and `given`.

        Raises NotSealed when that fails or a probe of its own was not refused.
        """
        self._ask, self._tell = ask, tell
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        try:
            self._process = _start(theirs, room)
        finally:
            theirs.close()
        self._relay = threading.Thread(target=_relay, args=(self._process,), daemon=True)
        self._relay.start()
        try:
            self.probes = self._lock(ours, rules, probes, {"serve": serve, "given": given})
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.end()

    def call(self, what: str, values: Message, files: Sequence[int] = ()) -> tuple[Message, bytes]:
        """Have the process do something; returns its answer and bytes, raises what it raised, or ProcessLost."""
        try:
            self._channel.send({**values, "call": what}, files=files)
            while True:
                message, payload, _ = self._channel.receive()
                if "tell" in message:
                    self._tell(message)
                elif "ask" in message:
                    self._answer({**message, "payload": payload})
                elif "raised" in message:
                    raise revive_error(message["raised"])
                else:
                    return message, payload
        except (Closed, ValueError, TypeError, KeyError) as error:
            raise ProcessLost(self._how_it_ended(what, error)) from None

    def end(self) -> None:
        """Kill the process, and whatever it started that is still in its session."""
        self._channel.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._relay.join(timeout=1)
        if self._process.stdout is not None and not self._relay.is_alive():
            self._process.stdout.close()

    def _answer(self, question: Message) -> None:
        files: Sequence[int] = ()
        try:
            answer, files = self._ask(question)
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            answer = {"raised": describe_error(error)}
        try:
            self._channel.send(answer, files=files)
        finally:
            for file in files:
                os.close(file)

    def _lock(
        self, line: socket.socket, rules: Sequence[Rule], probes: Sequence[dict[str, str]], orders: Message
    ) -> list[dict[str, str]]:
        line.settimeout(_SECONDS_TO_START)
        try:
            self._channel.send(
                {
                    "parent": os.getpid(),
                    "landlock_abi": landlock.abi(),
                    "rules": [(str(rule.path), int(rule.rights)) for rule in rules],
                    "probes": [dict(probe) for probe in probes],
                    **orders,
                }
            )
            report, _, _ = self._channel.receive()
        except (Closed, TimeoutError):
            raise NotSealed("the process to be sealed did not start") from None
        line.settimeout(None)
        if "failed" in report:
            raise NotSealed(f"the kernel did not shut the lock: {report['failed']}")
        for tried in report["probes"]:
            if tried["answer"].startswith(NOT_REFUSED):
                raise NotSealed(f"behind the shut lock this was {tried['answer']}: {tried['what']}")
        return report["probes"]

    def _how_it_ended(self, what: str, error: Exception) -> str:
        if not isinstance(error, Closed):
            return f"{what}: the method's process sent a message that is none ({type(error).__name__}: {error})"
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return f"{what}: the method's process closed its line to the runner"
        if code >= 0:
            return f"{what}: the method's process ended by itself with exit code {code}"
        hint = "; it may have run out of memory" if code == -signal.SIGKILL else ""
        return f"{what}: the method's process was ended by {signal.Signals(-code).name}{hint}"


def _start(theirs: socket.socket, room: Workspace) -> "subprocess.Popen[bytes]":
    """Start Python with nothing but the line: no other descriptor, no terminal, an environment of its own."""
    line = theirs.fileno()
    return subprocess.Popen(  # noqa: S603 - Python itself
        [sys.executable, "-u", "-B", "-c", BOOT, str(line), json.dumps(import_paths())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(line,),
        env=room.environment,
        cwd=room.work,
        start_new_session=True,
    )


def _relay(process: "subprocess.Popen[bytes]") -> None:
    """Show on stderr what the process prints."""
    assert process.stdout is not None  # noqa: S101 - asked for at the start
    for text in process.stdout:
        sys.stderr.write(text.decode(errors="replace"))


def descriptors(*paths: Path) -> list[int]:
    """Open files for reading, to be handed over."""
    return [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths]


def open_array(array: NDArray[Any]) -> int:
    """Return an open file without a name that holds an array in NumPy's format, to be handed over."""
    file = os.memfd_create("array")
    with os.fdopen(file, "wb", closefd=False) as stream:
        np.save(stream, array, allow_pickle=False)
    os.lseek(file, 0, os.SEEK_SET)
    return file
