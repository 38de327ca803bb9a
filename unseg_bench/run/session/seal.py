"""Whether a method's process can be sealed, and what it may open to import the method."""

import errno
import importlib
import os
import platform
from pathlib import Path

from unseg_bench.errors import RunError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.history import LEDGER, SEALED, UNSEALED
from unseg_bench.run.method_card import Where
from unseg_bench.sandbox import landlock, policy, probe, seccomp
from unseg_bench.sandbox.workspace import Workspace

SERVER = "unseg_bench.run.session.server:serve"
"""What a method's process calls once it is locked."""
HINT = " (the seal refused it: see docs/label-firewall.md for what a sealed method may open; --sealed off runs without)"


def kernel_obstacle() -> str | None:
    """Return what this system lacks for a seal, None where it has everything."""
    if landlock.abi() == 0:
        return f"this system has no Landlock ({platform.system()} {platform.release()})"
    if not seccomp.supported():
        return f"no filter of system calls is known for {platform.system()} on {platform.machine()}"
    return None


def mode_of(*, from_file: bool, asked: str, name: str) -> tuple[str, str]:
    """Return how a method works, 'sealed', 'ledger' or 'not sealed', and why not sealed.

    `from_file`: whether the user named a file, not an installed method; `asked`: what --sealed says. It does not matter
    what the method says of itself. Raises RunError where a seal is required and cannot be had.
    """
    reason = "--sealed off" if asked == "off" else kernel_obstacle()
    if reason is None:
        return SEALED, ""
    if asked == "required":
        raise RunError(f"{name}: cannot be sealed: {reason}. Without --sealed required it runs, and its column says so")
    return (UNSEALED if from_file else LEDGER), reason


def explain_refusal(message: str) -> str:
    """Add to a message that tells of a refused file or call what refused it."""
    refused = any(os.strerror(code) in message for code in (errno.EACCES, errno.EROFS))
    return message + HINT if refused else message


def code_rules(where: Where, dataset: type[Dataset] | None, workspace: Workspace) -> list[landlock.Rule]:
    """Return what a process needs to import a method: the interpreter, packages, its own files, its workspace.

    The data set's own code is left out, so that it cannot make or find references for the method.
    """
    return [
        *policy.interpreter_rules([own_files(where)], [] if dataset is None else dataset_files(dataset)),
        *workspace.rules,
    ]


def own_files(where: Where) -> Path:
    """Return the file, or the folder of the package, that a method's code is in."""
    return Path(where.file).resolve() if where.file else policy.own_package(where.module)[1]


def owner_of(where: Where) -> str:
    """Return the name under which a method's runs share stages: its file's module, or its package."""
    return where.module if where.file else policy.own_package(where.module)[0]


def dataset_files(dataset: type[Dataset]) -> list[Path]:
    """Return the files (folders, of packages) of a data set's own module and of those that make its references."""
    return [_module_files(name) for name in (dataset.__module__, *dataset.makers)]


def socket_probes() -> list[dict[str, str]]:
    """Return the probes of the network, which need no data."""
    return [
        {"what": "make a network connection", "kind": probe.CONNECT, "path": "network"},
        {"what": "connect to a service on this machine", "kind": probe.CONNECT, "path": "local"},
    ]


def _module_files(module_name: str) -> Path:
    file = Path(str(importlib.import_module(module_name).__file__)).resolve()
    return file.parent if file.name == "__init__.py" else file
