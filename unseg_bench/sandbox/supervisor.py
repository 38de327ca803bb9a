"""The processes around a method's process: one that ends all it started, one that is first in its namespace.

    runner -> supervisor -> [first process of the namespace] -> the process that runs the method

The supervisor is not sealed and runs none of the method's code. It hears of refused calls, and ends only when no
process is left: a namespace of processes dies with its first one; without one, orphans become the supervisor's own
children and are killed. When the runner is killed, the kernel tells the supervisor. A process that is not sealed has a
supervisor too, which it could end: nothing keeps it from that.
"""

import os
import resource
import select
import signal
import socket
import struct
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from unseg_bench.sandbox import namespaces, privileges
from unseg_bench.sandbox.refusals import Refusals

_LISTENER, _READY, _GO = b"listener", b"ready", b"go"
_STATUS, _LONGEST, _BROKEN = struct.Struct("=i"), 16, 1 << 8


@dataclass(frozen=True, slots=True)
class Inner:
    """What the process that is to be sealed knows: the line to its supervisor, and which namespaces are its own."""

    supervisor: socket.socket
    namespaces: dict[str, str]

    def hand_over(self, listener: int | None) -> None:
        """Give the supervisor the descriptor on which refused calls are told, and keep none of it."""
        if listener is not None:
            socket.send_fds(self.supervisor, [_LISTENER], [listener])
            os.close(listener)

    def begin(self) -> None:
        """Have the supervisor count refused calls from now on, and hang up; raises OSError when it is gone."""
        self.supervisor.sendall(_READY)
        if self.supervisor.recv(_LONGEST) != _GO:
            raise OSError("the process that ends all others is gone")
        self.supervisor.close()


def split(wanted: Iterable[str], writable: Sequence[str], line: int, told: int) -> Inner:
    """Fork; return in the process that is to be sealed, with namespaces of its own, of those `wanted`.

    `writable`: the folders that it may change. `line`: a descriptor that it keeps; `told`: one that the supervisor
    keeps, for the names of refused calls. Raises OSError.
    """
    asked = set(wanted)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    said = namespaces.leave(asked)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    privileges.adopt_orphans()
    child = os.fork()
    if child:
        os.close(line)
        theirs.close()
        _Supervisor(child, ours, told).run()
    ours.close()
    os.close(told)
    privileges.at_parents_death(signal.SIGKILL)
    is_first = said.get(namespaces.PROCESSES) == namespaces.ENFORCED
    if namespaces.MOUNT in asked:
        said |= namespaces.mount_read_only(writable, own_processes=is_first)
    if is_first:
        inner = os.fork()
        if inner:
            os.close(line)
            _be_first(inner, theirs)
        privileges.at_parents_death(signal.SIGKILL)
    # Out of the supervisor's group, so that signals to its own stay its own.
    os.setsid()
    return Inner(theirs, said)


def watch(line: int, told: int) -> None:
    """Fork; return in the process that is not to be sealed, whose descendants end when it ends.

    `line`: a descriptor that it keeps; `told`: one that is not needed, for no call is refused. Raises OSError.
    """
    os.close(told)
    privileges.adopt_orphans()
    child = os.fork()
    if child:
        os.close(line)
        _Supervisor(child).run()
    privileges.at_parents_death(signal.SIGKILL)
    os.setsid()


def _be_first(inner: int, supervisor: socket.socket) -> NoReturn:
    """Reap whatever ends in the namespace until `inner` does; tell its end, and end with all that is left."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    privileges.drop()
    while True:
        process, status = os.wait()
        if process == inner:
            with suppress(OSError):
                supervisor.sendall(_STATUS.pack(status))
            os._exit(0)


class _Supervisor:
    """Waits for the process `child`, answers its refused calls, and ends as it did when nothing is left of it.

    Without a `line` to the process no calls are refused. It has one thread: the kernel gives no second one to a process
    that left its namespace of processes.
    """

    def __init__(self, child: int, line: socket.socket | None = None, told: int = -1) -> None:
        self._child, self._line, self._told = child, line, told
        self._poll = select.poll()
        self._refusals: Refusals | None = None
        self._end: int | None = None

    def run(self) -> NoReturn:
        """Watch over the processes inside until the last has ended, then exit as the first of them did."""
        try:
            signal.signal(signal.SIGTERM, self._kill)
            privileges.drop()
            if self._line is not None:
                self._watch(os.pidfd_open(self._child), self._line)
            _, end = os.waitpid(self._child, 0)
            while self._line is not None and self._hear(self._line):
                pass
        except BaseException:  # noqa: BLE001 - this process must not go on as the one it was forked from
            end = _BROKEN
            with suppress(OSError):
                traceback.print_exc()
        _kill_descendants()
        _end_like(end if self._end is None else self._end)

    def _watch(self, child: int, line: socket.socket) -> None:
        """Hear the inner processes and answer their refused calls until the child ends."""
        self._poll.register(child, select.POLLIN)
        self._poll.register(line, select.POLLIN)
        while True:
            for descriptor, events in self._poll.poll():
                if descriptor == child:
                    return
                if descriptor != line.fileno():
                    assert self._refusals is not None  # noqa: S101 - its descriptor is
                    self._refusals.answer() if events & select.POLLIN else self._poll.unregister(descriptor)
                elif not self._hear(line):
                    self._poll.unregister(descriptor)

    def _hear(self, line: socket.socket) -> bool:
        """Take one message of the inner processes; return whether there was one, and not their hanging up."""
        message, descriptors, _, _ = socket.recv_fds(line, _LONGEST, 1)
        if message == _LISTENER:
            self._refusals = Refusals(descriptors[0], self._told)
            self._poll.register(descriptors[0], select.POLLIN)
        elif message == _READY:
            if self._refusals is not None:
                self._refusals.forget()
            line.sendall(_GO)
        elif message:
            (self._end,) = _STATUS.unpack(message)
        return bool(message)

    def _kill(self, number: int, frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)


def _kill_descendants() -> None:
    """Kill every descendant, however far from its parent it went, until there is none."""
    with suppress(ChildProcessError):
        while True:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            for process in _descendants(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            os.wait()


def _descendants(ancestor: int) -> list[int]:
    parents: dict[int, int] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - as cheap as can be
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found = [ancestor]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]


def _end_like(status: int) -> NoReturn:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with suppress(OSError):  # SIGKILL has no other meaning to be undone
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
