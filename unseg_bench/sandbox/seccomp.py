"""A seccomp filter: no sockets, no way into other processes, no namespaces, no memory shared beside the file system.

Landlock cannot see these. The filter is a small BPF program (`linux/filter.h`, `linux/seccomp.h`) that answers the
calls below with an error; it binds every thread and program of the process for good.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

CALLS: dict[str, tuple[int, int]] = {
    # The network and every other socket: a local one leads to services that read files for others.
    "socket": (41, 198),
    # Other processes' memory and descriptors.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # A second way to make system calls, sockets among them, that no filter sees.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Files by number instead of by path.
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    # Another view of the file system.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    # Memory and queues that another process may have filled.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "msgrcv": (70, 188),
    "mq_open": (240, 180),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # The kernel itself.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "syslog": (103, 116),
    "swapon": (167, 224),
    "reboot": (169, 142),
}
"""Refused with EACCES: number on x86-64 and on 64-bit ARM."""

NOT_SUPPORTED: dict[str, tuple[int, int]] = {
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "getxattr": (191, 8),
    "lgetxattr": (192, 9),
    "fgetxattr": (193, 10),
    "listxattr": (194, 11),
    "llistxattr": (195, 12),
    "flistxattr": (196, 13),
    "setxattrat": (463, 463),
    "getxattrat": (464, 464),
    "listxattrat": (465, 465),
}
"""Notes on files, which Landlock does not guard: answered with ENOTSUP, which copying tools expect."""

_CLONE, _CLONE3 = (56, 220), (435, 435)
_NEW_NAMESPACES = 0x7E020080
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32_BIT = 0x40000000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_SET_SECCOMP, _MODE_FILTER = 22, 2
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def supported() -> bool:
    """Whether a filter is known for this system: Linux on x86-64 or 64-bit ARM, whose kernel has seccomp."""
    known = sys.platform.startswith("linux") and platform.machine() in _MACHINES
    return known and os.path.exists("/proc/sys/kernel/seccomp/actions_avail")  # noqa: PTH110 - no pathlib in the child


def restrict() -> None:
    """Refuse the calls above to this process for good; `no_new_privs` must be set. Raises OSError."""
    code = program(platform.machine())
    filled = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filled), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())} (seccomp)")


def program(machine: str) -> bytes:
    """Return the BPF program for a machine, 'x86_64' or 'aarch64', as the kernel takes it."""
    column, architecture = _MACHINES[machine]
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_JUMP_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        steps += _answer(_JUMP_AT_LEAST, _X32_BIT, errno.ENOSYS)
    steps += _answer(_JUMP_EQUAL, _CLONE3[column], errno.ENOSYS)
    for numbers in CALLS.values():
        steps += _answer(_JUMP_EQUAL, numbers[column], errno.EACCES)
    for numbers in NOT_SUPPORTED.values():
        steps += _answer(_JUMP_EQUAL, numbers[column], errno.ENOTSUP)
    steps += [
        _step(_JUMP_EQUAL, _CLONE[column], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        *_answer(_JUMP_ANY_BIT, _NEW_NAMESPACES, errno.EACCES),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def _answer(comparison: int, value: int, error: int) -> list[bytes]:
    """Answer with `error` when the loaded number compares so; else go on."""
    return [_step(comparison, value, 0, 1), _step(_RETURN, _ERRNO | error)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
