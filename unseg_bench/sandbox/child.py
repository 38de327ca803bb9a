"""The sealed process: it locks itself in, says what it tried in vain, and only then loads the plugin.

Until the lock is shut, nothing may be imported that starts a thread: Landlock binds only the thread that asks for it.
"""

import importlib
import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import Any

from unseg_bench.sandbox import landlock, privileges, probe, seccomp
from unseg_bench.sandbox.channel import Channel, Closed

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from unseg_bench.sandbox.child import main; main()"
"""What the runner has Python execute; arguments: the line's descriptor, the import path as JSON."""


def main() -> None:
    """Shut the lock, report, and serve the runner until it hangs up."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    try:
        hello, _, _ = channel.receive()
        privileges.die_with_parent(int(hello["parent"]))
        _fill_import_caches()
        try:
            _shut(hello)
        except OSError as error:
            channel.send({"failed": str(error)})
            return
        channel.send({"probes": probe.try_all(hello["probes"])})
        module, _, function = str(hello["serve"]).partition(":")
        getattr(importlib.import_module(module), function)(channel, hello["given"])
    except Closed:
        return


def _shut(hello: dict[str, Any]) -> None:
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208
        raise OSError("a package started a thread as Python began, and a thread cannot be sealed from another")
    own = landlock.Rule(Path(f"/proc/{os.getpid()}"), landlock.READ)
    rules = [landlock.Rule(Path(path), landlock.Right(rights)) for path, rights in hello["rules"]]
    privileges.drop()
    landlock.restrict([*rules, own], int(hello["landlock_abi"]))
    seccomp.restrict()


def _fill_import_caches() -> None:
    """Let Python list the folders of its import path now: those outside the interpreter cannot be listed later."""
    importlib.util.find_spec("unseg_bench_looks_for_nothing")
