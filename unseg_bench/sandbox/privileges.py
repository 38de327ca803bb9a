"""What a process gives up beside files and calls: privileges to be gained, capabilities, life after its parent."""

import ctypes
import signal
import sys

from unseg_bench.sandbox.syscalls import checked, libc

_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 36, 38
_CAPABILITY_VERSION = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def can_adopt() -> bool:
    """Whether this system tells a process of its parent's end, and gives it the orphans of its descendants."""
    return sys.platform == "linux"


def at_parents_death(number: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent is gone; raises OSError."""
    checked(libc().prctl(_SET_DEATH_SIGNAL, int(number), 0, 0, 0), "parent-death signal")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends; raises OSError."""
    checked(libc().prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "orphans")


def drop() -> None:
    """Set `no_new_privs` and give up every capability, which only root has; raises OSError."""
    checked(libc().prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    header, nothing = _Header(_CAPABILITY_VERSION, 0), (_Sets * 2)()
    checked(libc().capset(ctypes.byref(header), ctypes.byref(nothing)), "capabilities")
