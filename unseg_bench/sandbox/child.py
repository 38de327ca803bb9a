"""The sealed process: it locks itself in, says what it tried in vain, and only then loads the plugin.

Until the lock is shut, nothing may be imported that starts a thread: Landlock binds only the thread that asks for it.
"""

import importlib
import importlib.util
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from unseg_bench.sandbox import landlock, namespaces, privileges, probe, seccomp, supervisor
from unseg_bench.sandbox.channel import Channel, Closed
from unseg_bench.sandbox.supervisor import Inner

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[3]); from unseg_bench.sandbox.child import main; main()"
"""What the runner has Python execute; arguments: descriptors of the line and of what tells refused calls, import path.

The import path is JSON.
"""


def main() -> None:
    """Shut the lock, report, and serve the runner until it hangs up."""
    line, told = (int(text) for text in sys.argv[1:3])
    channel = Channel(socket.socket(fileno=line))
    supervised = True
    try:
        hello, _, _ = channel.receive()
        if supervised := bool(hello["supervised"]):
            _die_with(int(hello["parent"]))
        _fill_import_caches()
        try:
            report = _not_locked(hello, line, told) if hello["rules"] is None else _shut(hello, line, told)
        except OSError as error:
            channel.send({"failed": str(error)})
            return
        channel.send(report)
        module, _, function = str(hello["serve"]).partition(":")
        getattr(importlib.import_module(module), function)(channel, hello["given"])
    except Closed:
        if not supervised:
            os.killpg(0, signal.SIGKILL)


def _die_with(parent: int) -> None:
    privileges.at_parents_death(signal.SIGTERM)
    if os.getppid() != parent:
        raise Closed


def _not_locked(hello: dict[str, Any], line: int, told: int) -> dict[str, Any]:
    """Go on in a process of its own, whose descendants end with it where the system can do that; return the report."""
    if hello["supervised"]:
        supervisor.watch(line, told)
    return {"probes": [], "namespaces": {}, "refusals_not_told": "nothing is refused"}


def _shut(hello: dict[str, Any], line: int, told: int) -> dict[str, Any]:
    """Shut the lock, in a process of its own; return what was tried in vain behind it, and what is enforced."""
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208
        raise OSError("a package started a thread as Python began, and a thread cannot be sealed from another")
    rules = [landlock.Rule(Path(path), landlock.Right(rights)) for path, rights in hello["rules"]]
    writable = [str(rule.path) for rule in rules if rule.rights & landlock.Right.MAKE_REG]
    inner = supervisor.split(hello["namespaces"], writable, line, told)
    own = _own_rules(inner, gpu=bool(hello["gpu"]))
    privileges.drop()
    landlock.restrict([*rules, *own], int(hello["landlock_abi"]))
    why = _filter_calls(inner, int(hello["landlock_abi"]), gpu=bool(hello["gpu"]))
    probes = probe.try_all(hello["probes"])
    inner.begin()
    return {"probes": probes, "namespaces": inner.namespaces, "refusals_not_told": why}


def _own_rules(inner: Inner, *, gpu: bool) -> list[landlock.Rule]:
    """Return what this process may open of its own folder in /proc: to read, and for a GPU the names of its threads.

    CUDA gives its threads names as the C library does, by writing `task/<thread>/comm`, and does not start where that
    is refused. A thread has no folder before it is there, so the rule is on the folder of all threads of this process.
    """
    folder = Path("/proc", os.readlink("/proc/self"))  # noqa: PTH115
    rules = [landlock.Rule(folder, landlock.READ)]
    if gpu:
        rules.append(landlock.Rule(folder / "task", landlock.Right.WRITE_FILE))
        if inner.namespaces.get(namespaces.MOUNT) == namespaces.ENFORCED:
            inner.namespaces[namespaces.THREADS] = namespaces.open_thread_names()
    return rules


def _filter_calls(inner: Inner, abi: int, *, gpu: bool) -> str:
    """Shut the filter of calls; return why nobody is told of those that it refuses, '' where somebody is."""
    has = {name for name, said in inner.namespaces.items() if said == namespaces.ENFORCED}
    surroundings = seccomp.Surroundings(
        os.getpid(),
        own_ids=namespaces.PROCESSES in has,
        no_signals=abi >= landlock.SCOPE_ABI,
        read_only=namespaces.MOUNT in has,
        gpu=gpu,
    )
    listener, why = seccomp.restrict(surroundings)
    inner.hand_over(listener)
    seccomp.finish()
    return why


def _fill_import_caches() -> None:
    """Let Python list the folders of its import path now: those outside the interpreter cannot be listed later."""
    importlib.util.find_spec("unseg_bench_looks_for_nothing")
