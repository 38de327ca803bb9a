"""A seccomp filter: the calls that computing needs are allowed, some only with harmless arguments; the rest is refused.

Landlock guards files; this guards everything else: other processes, sockets, memory shared beside the file system,
namespaces, modes and times of files. The filter is a small BPF program (`linux/filter.h`, `linux/seccomp.h`); it binds
every thread and program of the process for good. A refused call fails with EACCES, and whoever listens is told of it.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unseg_bench.sandbox import syscalls

ALLOWED = frozenset(
    """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek sendfile splice tee copy_file_range
    open openat creat close close_range dup dup2 dup3 pipe pipe2 flock umask ftruncate fallocate truncate
    stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat statfs fstatfs getdents getdents64
    getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
    fsync fdatasync sync_file_range fadvise64 readahead memfd_create
    mmap munmap mremap mprotect madvise brk msync mincore mlock mlock2 munlock mlockall munlockall membarrier mseal
    remap_file_pages pkey_alloc pkey_free pkey_mprotect map_shadow_stack
    set_mempolicy get_mempolicy mbind set_mempolicy_home_node
    fork vfork execve execveat exit exit_group wait4 waitid getpid getppid gettid getpgid getpgrp getsid setpgid setsid
    getuid geteuid getgid getegid getgroups getresuid getresgid capget
    set_tid_address set_robust_list get_robust_list rseq arch_prctl set_thread_area get_thread_area restart_syscall
    futex futex_waitv futex_wake futex_wait futex_requeue sched_yield getcpu
    sched_getaffinity sched_getscheduler sched_getparam sched_getattr sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval getpriority ioprio_get getrlimit setrlimit getrusage times sysinfo uname getrandom
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause alarm
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime
    time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep getitimer setitimer
    timer_create timer_settime timer_gettime timer_getoverrun timer_delete
    recvfrom recvmsg shutdown getsockname getpeername
    """.split()  # noqa: SIM905 - 200 words in quotes are harder to read
)
"""Allowed as they are. Files among them are Landlock's business, and a socket there is none but the line."""

METADATA = frozenset(
    "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat".split()  # noqa: SIM905
)
"""Modes, owners and times of files, which Landlock does not guard: allowed where all but the workspace is read-only."""

NOT_SUPPORTED = frozenset(
    f"{act}xattr{at}" for act in ("get", "set", "list", "remove") for at in ("", "at")
) | frozenset(f"{kind}{act}xattr" for act in ("get", "set", "list", "remove") for kind in ("l", "f"))
"""Notes on files, which Landlock does not guard: answered with ENOTSUP, which copying tools expect."""

NOT_THERE = frozenset("clone3 openat2 pidfd_open cachestat file_getattr file_setattr statmount listmount".split())  # noqa: SIM905
"""Answered with ENOSYS, as an older kernel would: libraries try them and do without. So is what is newer than these."""

REFUSED = errno.EACCES
"""What every other call fails with."""

_TO_HAND_OVER = frozenset({"sendmsg", "seccomp"})
"""Allowed until `finish`."""
_NEW_NAMESPACES = 0x7E020080
_FILE_COMMANDS = (*range(8), 9, 11, *range(36, 39), 1025, *range(1030, 1036))
"""fcntl: all but to send signals (F_SETOWN, F_SETSIG), to watch a folder (F_NOTIFY), to hold others up (F_SETLEASE)."""
_DEVICE_REQUESTS = (
    *(0x5401, 0x802C542A, 0x5413, 0x540F),  # what a terminal is like: TCGETS, TCGETS2, TIOCGWINSZ, TIOCGPGRP
    *(0x541B, 0x5421, 0x5450, 0x5451),  # FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
    *(0x40049409, 0x4020940D, 0xC020660B),  # copies of plain files: FICLONE, FICLONERANGE, FS_IOC_FIEMAP
)
_GPU_KINDS = tuple(ord(letter) << 8 for letter in "\0FdK")
"""Kinds of ioctl of the drivers: nvidia-uvm, nvidia, DRM, AMD's kfd."""
_LOCAL, _PACKETS, _SOCKET_FLAGS = 1, 5, 0x80800
_OF_SOCKETS, _CREDENTIALS = 1, 16
"""AF_UNIX and SOCK_SEQPACKET, SOCK_CLOEXEC | SOCK_NONBLOCK; SOL_SOCKET and SO_PASSCRED."""
_PROCESS_OPTIONS = (
    *(2, 3, 4, 7, 15, 16, 21, 23, 25, 27, 29, 30, 38, 39, 41, 42, 47, 50, 51, 52, 54, 55, 56, 60, 61, 63, 64, 65, 66),
    *(78, 0x41555856, 0x53564D41),
)
"""prctl: names, what can be asked, vector lengths and the like; nothing that outlives, traces or maps anew."""
_WHOLE = 0xFFFFFFFF
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_LOAD, _AND, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOW, _ERRNO, _NOTIFY, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x7FC00000, 0x80000000
_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the filter need not refuse since something else does, and whom the process is.

    `process`: its own id. `own_ids`: no other process has an id here. `no_signals`: Landlock refuses signals to others.
    `read_only`: all but the workspace is mounted read-only. `gpu`: it may use a GPU's device files.
    """

    process: int
    own_ids: bool = False
    no_signals: bool = False
    read_only: bool = False
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class _Check:
    """Argument `argument` (from 0), its lower half (`high`: its upper half) masked, is one of the values of a mask."""

    argument: int
    allowed: Sequence[tuple[int, Sequence[int]]]
    high: bool = False


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def supported() -> bool:
    """Whether a filter is known for this system: Linux on x86-64 or 64-bit ARM, whose kernel has seccomp."""
    known = sys.platform.startswith("linux") and platform.machine() in _MACHINES
    return known and os.path.exists("/proc/sys/kernel/seccomp/actions_avail")  # noqa: PTH110 - no pathlib in the child


def restrict(surroundings: Surroundings) -> tuple[int | None, str]:
    """Shut the filter on this process for good; `no_new_privs` must be set. Raises OSError.

    Returns the descriptor on which refused calls are told and answered, or None and why nobody can listen (another
    filter of this process has a listener already); they fail all the same.
    """
    try:
        return _install(program(platform.machine(), surroundings, told=True), _NEW_LISTENER), ""
    except OSError as error:
        _install(program(platform.machine(), surroundings, told=False), 0)
        return None, str(error.strerror)


def finish() -> None:
    """Refuse as well what handing over the listener's descriptor takes; raises OSError."""
    numbers = syscalls.numbers(platform.machine())
    refused = [step for name in _TO_HAND_OVER for step in _answer(numbers[name], _ERRNO | REFUSED)]
    _install(b"".join([_step(_LOAD, _NUMBER), *refused, _step(_RETURN, _ALLOW)]), 0)


def program(machine: str, surroundings: Surroundings, *, told: bool) -> bytes:
    """Return the BPF program for a machine, 'x86_64' or 'aarch64'; `told`: refused calls are told to a listener."""
    numbers = syscalls.numbers(machine)
    refuse = _NOTIFY if told else _ERRNO | REFUSED
    allowed = ALLOWED | _TO_HAND_OVER | (METADATA if surroundings.read_only else frozenset())
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_JUMP_EQUAL, _MACHINES[machine], 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [_step(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    if surroundings.gpu:
        steps += _answer(numbers["connect"], _ERRNO | errno.ENOENT)
    for name, checks in checked_calls(surroundings).items():
        if name in numbers:
            steps += _checked(numbers[name], list(checks), refuse)
    answers = ((allowed, _ALLOW), (NOT_SUPPORTED, _ERRNO | errno.ENOTSUP), (NOT_THERE, _ERRNO | errno.ENOSYS))
    for names, answer in answers:
        for number in sorted(numbers[name] for name in names if name in numbers):
            steps += _answer(number, answer)
    steps += [_step(_JUMP_AT_LEAST, syscalls.LAST + 1, 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    return b"".join([*steps, _step(_RETURN, refuse)])


def checked_calls(surroundings: Surroundings) -> dict[str, list[_Check]]:
    """Return the calls that are allowed with some arguments only, each with what must hold of them."""
    own = (0, surroundings.process)
    signalled: tuple[int, ...] | None = None if surroundings.own_ids or surroundings.no_signals else own
    devices = [(_WHOLE, _DEVICE_REQUESTS), *([(0xFF00, _GPU_KINDS)] if surroundings.gpu else [])]
    only_own = [_one_of(0, own)]
    return {
        **(_unheard_sockets() if surroundings.gpu else {}),
        "clone": [_Check(0, [(_NEW_NAMESPACES, [0])])],
        "ioctl": [_Check(1, devices)],
        "fcntl": [_one_of(1, _FILE_COMMANDS)],
        "prctl": [_one_of(0, _PROCESS_OPTIONS)],
        "personality": [_one_of(0, [0xFFFFFFFF])],
        "sendto": [_one_of(4, [0]), _Check(4, [(_WHOLE, [0])], high=True)],
        "kill": [_one_of(0, signalled)] if signalled else [],
        "tgkill": [_one_of(0, signalled)] if signalled else [],
        "sched_setaffinity": [] if surroundings.own_ids else only_own,
        **dict.fromkeys(
            ("prlimit64", "sched_setscheduler", "sched_setparam", "sched_setattr", "migrate_pages", "move_pages"),
            only_own,
        ),
        "setpriority": [_one_of(0, [0]), _one_of(1, own)],
        "ioprio_set": [_one_of(0, [1]), _one_of(1, own)],
    }


def _unheard_sockets() -> dict[str, list[_Check]]:
    """Return what CUDA asks for as it starts, to look for the service that shares a GPU among processes.

    It may make such a socket, and then hears that nobody is there (ENOENT): what it hears on most machines. The socket
    leads nowhere: nothing can be connected, bound, sent or accepted.
    """
    kind = _Check(1, [(_WHOLE & ~_SOCKET_FLAGS, [_PACKETS])])
    return {
        "socket": [_one_of(0, [_LOCAL]), kind, _one_of(2, [0])],
        "setsockopt": [_one_of(1, [_OF_SOCKETS]), _one_of(2, [_CREDENTIALS])],
    }


def _one_of(argument: int, values: Sequence[int]) -> _Check:
    return _Check(argument, [(_WHOLE, values)])


def _checked(number: int, checks: Sequence[_Check], refuse: int) -> list[bytes]:
    """Answer the call of this number, when the loaded one is it: allowed where all checks hold."""
    block = [step for check in checks for step in _held(check, refuse)] + [_step(_RETURN, _ALLOW)]
    return [_step(_JUMP_EQUAL, number, 0, len(block)), *block]


def _held(check: _Check, refuse: int) -> Iterator[bytes]:
    """Go on behind this where a check holds, else answer `refuse`."""
    place = _FIRST_ARGUMENT + 8 * check.argument + 4 * check.high
    left = sum(2 + len(values) for _, values in check.allowed)
    for mask, values in check.allowed:
        yield _step(_LOAD, place)
        yield _step(_AND, mask)
        left -= 2
        for value in values:
            left -= 1
            yield _step(_JUMP_EQUAL, value, left + 1, 0)
    yield _step(_RETURN, refuse)


def _answer(number: int, answer: int) -> list[bytes]:
    """Answer when the loaded number is this one; else go on."""
    return [_step(_JUMP_EQUAL, number, 0, 1), _step(_RETURN, answer)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _install(code: bytes, flags: int) -> int:
    filled = _Program(len(code) // 8, code)
    number = syscalls.numbers(platform.machine())["seccomp"]
    arguments = (ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(flags), ctypes.byref(filled))
    return syscalls.checked(int(syscalls.libc().syscall(ctypes.c_long(number), *arguments)), "seccomp")
