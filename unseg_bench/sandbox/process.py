"""The runner's end of a sealed process: it starts it, makes sure that it is locked, calls it, and ends it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from subprocess import CalledProcessError
from typing import Any, Self

from unseg_bench.errors import RunError
from unseg_bench.sandbox import landlock, namespaces, policy, privileges, probe
from unseg_bench.sandbox.channel import Channel, Closed, Message
from unseg_bench.sandbox.child import BOOT
from unseg_bench.sandbox.landlock import Rule
from unseg_bench.sandbox.relay import Relay
from unseg_bench.sandbox.wire import PRINTED, describe_error, revive_error
from unseg_bench.sandbox.workspace import Workspace

Answer = tuple[Message, Sequence[int]]
"""What the runner answers a question with: a message, and open files (which are closed once they are sent)."""
_SECONDS_TO_START, _SECONDS_TO_END = 60.0, 20.0


class NotSealed(Exception):  # noqa: N818 - the runner decides whether that is an error
    """The lock cannot be shut, or something behind it could still be reached; the message says what."""


class ProcessLost(RunError):  # noqa: N818 - said of the process
    """The sealed process ended in the middle of a call."""


class SandboxProcess:
    """A sealed process. `ask` answers its questions, `tell` hears its words; both run in the calling thread.

    A question's bytes are its 'payload'.

    `probes` are what it tried in vain before it loaded anything. `enforced` says which namespaces are its own (each
    'yes', or 'no: ' and why), and whether refused calls are told of ('refused_calls_told', likewise).

    Use it as a context manager: on leaving, the process and all that it started are killed.
    """

    def __init__(
        self,
        workspace: Workspace,
        rules: Sequence[Rule] | None,
        probes: Sequence[dict[str, str]],
        serve: str,
        given: Message,
        ask: Callable[[Message], Answer],
        tell: Callable[[Message], None],
    ) -> None:
        """Start and lock the process, which then calls `serve` ('module:function') with its channel and `given`.

        `rules` None: it is not locked. Raises NotSealed when that fails or a probe of its own was not refused.
        """
        self._ask, self._tell = ask, tell
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self._told, told = os.pipe()
        for end in (self._told, told):
            os.set_blocking(end, False)
        self._refused: list[str] = []
        printed, prints = os.pipe()
        try:
            self._process = _start(theirs, told, prints, workspace)
        finally:
            theirs.close()
            os.close(told)
            os.close(prints)
        self._relay = Relay(printed)
        try:
            self.probes = self._lock(ours, rules, probes, {"serve": serve, "given": given})
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
                    raise revive_error(self._explained(message["raised"]))
                else:
                    return message, payload
        except (Closed, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
            raise ProcessLost(self._how_it_ended(what, error)) from None

    @property
    def refused_calls(self) -> list[str]:
        """Names of the system calls that the kernel has refused to the plugin's code so far, each once, in order.

        A call that is many in one is named with its number, such as 'ioctl 0x5412'. At most 200.
        """
        with suppress(BlockingIOError):
            while self._told >= 0 and (told := os.read(self._told, 1 << 16)):
                self._refused += told.decode().splitlines()
        return list(dict.fromkeys(self._refused))

    def end(self) -> None:
        """End the process and whatever it started; returns when none of them is left.

        Where nothing watches over them (not Linux), what left the process's group stays.
        """
        self._channel.close()
        if privileges.can_adopt():
            self._process.terminate()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._told >= 0:
            _ = self.refused_calls
            os.close(self._told)
            self._told = -1
        self._relay.end()

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
        self, line: socket.socket, rules: Sequence[Rule] | None, probes: Sequence[dict[str, str]], orders: Message
    ) -> list[dict[str, str]]:
        line.settimeout(_SECONDS_TO_START)
        try:
            self._channel.send(
                {
                    "parent": os.getpid(),
                    "supervised": privileges.can_adopt(),
                    "landlock_abi": landlock.abi(),
                    "namespaces": list(namespaces.ALL),
                    "gpu": policy.opens_gpu(rules or ()),
                    "rules": None if rules is None else [(str(rule.path), int(rule.rights)) for rule in rules],
                    "probes": [dict(one) for one in (*probes, *probe.of_process(os.getpid()))],
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
            if tried["answer"].startswith(probe.NOT_REFUSED):
                raise NotSealed(f"behind the shut lock this was {tried['answer']}: {tried['what']}")
        _ = self.refused_calls  # those of the harness's own attempts
        self._refused.clear()
        why = report["refusals_not_told"]
        self.enforced = {
            "namespaces": report["namespaces"],
            "refused_calls_told": f"no: {why}" if why else namespaces.ENFORCED,
        }
        return report["probes"]

    def _explained(self, raised: dict[str, Any]) -> dict[str, Any]:
        """Add to the failure of a program that it started what was printed last, where nobody caught that."""
        kind, message = str(raised["kind"]), str(raised["message"])
        if kind != CalledProcessError.__name__ or PRINTED in message or not (words := self._relay.last_words()):
            return raised
        return {**raised, "message": message + PRINTED + words}

    def _how_it_ended(self, what: str, error: Exception) -> str:
        if not isinstance(error, Closed):
            return f"{what}: the method's process sent a message that is none ({type(error).__name__}: {error})"
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return f"{what}: the method's process closed its line to the runner"
        words = PRINTED + words if (words := self._relay.last_words()) else ""
        if code >= 0:
            return f"{what}: the method's process ended by itself with exit code {code}{words}"
        hint = "; it may have run out of memory" if code == -signal.SIGKILL else ""
        return f"{what}: the method's process was ended by {signal.Signals(-code).name}{hint}{words}"


def _start(theirs: socket.socket, told: int, prints: int, workspace: Workspace) -> "subprocess.Popen[bytes]":
    """Start Python with nothing but the line: no other descriptor, no terminal, an environment of its own.

    `told` goes to the process that watches it and is closed in it; `prints` takes what it prints.
    """
    line = theirs.fileno()
    return subprocess.Popen(  # noqa: S603 - Python itself
        [sys.executable, "-u", "-B", "-c", BOOT, str(line), str(told), json.dumps(policy.import_paths())],
        stdin=subprocess.DEVNULL,
        stdout=prints,
        stderr=subprocess.STDOUT,
        pass_fds=(line, told),
        env=workspace.environment,
        cwd=workspace.work,
        start_new_session=True,
    )
