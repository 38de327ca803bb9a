"""Landlock: a process gives up, for good, every file but those under the paths that it names (Linux 5.13 and later).

Constants: `linux/landlock.h`; syscall numbers are the same
on every architecture. The restriction binds the calling thread and all that it starts later, programs included.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

from unseg_bench.sandbox.syscalls import checked, libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_BIND_AND_CONNECT_TCP = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
NETWORK_ABI, SCOPE_ABI = 4, 6
"""First versions that can refuse TCP, and signals and abstract sockets to processes outside."""


class Right(IntFlag):
    """What can be allowed beneath a path."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


_RIGHTS_OF_ABI = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many of the rights, counted from the first, each version knows."""

LIST = Right.READ_DIR
READ = Right.EXECUTE | Right.READ_FILE | Right.READ_DIR
WORK = (
    Right.READ_FILE | Right.READ_DIR | Right.WRITE_FILE | Right.TRUNCATE | Right.MAKE_REG | Right.MAKE_DIR
    | Right.REMOVE_FILE | Right.REMOVE_DIR | Right.REFER
)  # fmt: skip
"""To read, write, make and remove plain files and folders; no links, pipes, sockets or device files."""
DEVICE = Right.READ_FILE | Right.WRITE_FILE | Right.TRUNCATE | Right.IOCTL_DEV
_OF_FILES = Right.EXECUTE | Right.WRITE_FILE | Right.READ_FILE | Right.TRUNCATE | Right.IOCTL_DEV


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed of a path and of all beneath it."""

    path: Path
    rights: Right


class _RulesetAttr(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int:
    """Return the version of Landlock that this kernel offers, 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, int(libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))))


def handled_rights(version: int) -> Right:
    """Return all rights that version `version` can refuse."""
    count = max((number for first, number in _RIGHTS_OF_ABI.items() if first <= version), default=0)
    return Right((1 << count) - 1)


def restrict(rules: Iterable[Rule], version: int) -> None:
    """Give up all files but those of `rules`, and TCP, signals and abstract sockets where `version` can; no way back.

    `no_new_privs` must be set. A path that is not there is passed over. Raises OSError when the kernel refuses.
    """
    handled = handled_rights(version)
    ruleset = _create_ruleset(handled, version)
    try:
        for rule in rules:
            _allow(ruleset, rule, handled)
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _create_ruleset(handled: Right, version: int) -> int:
    attributes = _RulesetAttr(
        int(handled),
        _BIND_AND_CONNECT_TCP if version >= NETWORK_ABI else 0,
        _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= SCOPE_ABI else 0,
    )
    # An older kernel knows only the first fields.
    size = 24 if version >= SCOPE_ABI else 16 if version >= NETWORK_ABI else 8
    return _call(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))


def _allow(ruleset: int, rule: Rule, handled: Right) -> None:
    try:
        descriptor = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        known = handled if rule.path.is_dir() else handled & _OF_FILES
        attributes = _PathBeneathAttr(int(rule.rights & known), descriptor)
        _call(
            _ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            ctypes.byref(attributes),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    return checked(int(libc().syscall(ctypes.c_long(number), *arguments)), f"Landlock call {number}")
