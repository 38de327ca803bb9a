"""Namespaces: a process leaves the machine's users, processes, mounts, network and queues for some of its own.

Each namespace is had or not by itself, and why not is said: containers and some systems refuse
them to ordinary users. Landlock and seccomp do not rest on them.
"""

import ctypes
import os
from collections.abc import Callable, Iterable, Sequence

from unseg_bench.sandbox.syscalls import checked, libc, numbers

USER, MOUNT, PROCESSES = "user", "mount", "pid"
THREADS = "names of threads"
NAMESPACES = {USER: 0x10000000, "ipc": 0x08000000, "network": 0x40000000, "uts": 0x04000000, PROCESSES: 0x20000000}
"""What `leave` can leave, in this order; 'mount' is left with `mount_read_only`, in the process that is to stay."""
ALL = (*NAMESPACES, MOUNT)
ENFORCED = "yes"

_NEW_MOUNTS = 0x00020000
_NO_SUID, _NO_DEVICES, _NO_PROGRAMS = 2, 4, 8
_BIND, _RECURSIVE, _PRIVATE = 1 << 12, 1 << 14, 1 << 18
_HERE, _ALL_BENEATH, _ATTRIBUTE_READ_ONLY = -100, 0x8000, 1


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def leave(wanted: Iterable[str]) -> dict[str, str]:
    """Leave the machine's namespaces that are `wanted`, of `NAMESPACES`; return each with 'yes', or 'no: ' and why.

    The process must have one thread. The next process that it starts is the first of the namespace of processes.
    """
    names = [name for name in NAMESPACES if name in set(wanted)]
    said: dict[str, str] = {}
    for name in names:
        said[name] = _said(_leave_users if name == USER else lambda flag=NAMESPACES[name]: _unshare(flag))
    return said


def mount_read_only(writable: Sequence[str], *, own_processes: bool) -> dict[str, str]:
    """Mount everything read-only but the folders `writable`; with `own_processes` a /proc that shows no others.

    Return 'mount' and 'proc', each with 'yes' or 'no: ' and why.
    """
    said = {MOUNT: _said(lambda: _mount_read_only(writable))}
    if own_processes:
        shut = said[MOUNT] == ENFORCED
        said["proc"] = _said(_mount_proc) if shut else "no: there is no mount namespace"
    return said


def open_thread_names() -> str:
    """Mount the folder of this process's threads in /proc so that it can be written; return 'yes' or 'no: ' and why.

    It needs the mount namespace, and what privileges that gave. Landlock decides who may write there.
    """
    return _said(_open_thread_names)


def _said(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except OSError as error:
        return f"no: {error.strerror}"
    return ENFORCED


def _leave_users() -> None:
    """Enter a user namespace with this user and group alone; tried in a process of its own before, for it may fail.

    Some systems let a process in and refuse it the rest, which leaves it without a name.
    """
    user, group = os.getuid(), os.getgid()
    attempt = os.fork()
    if attempt == 0:
        try:
            _enter_users(user, group)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(attempt, 0)[1])
    if code != 0:
        raise OSError(code, os.strerror(code))
    _enter_users(user, group)


def _enter_users(user: int, group: int) -> None:
    _unshare(NAMESPACES[USER])
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        place = os.open(f"/proc/self/{file}", os.O_WRONLY)
        try:
            os.write(place, text.encode())
        finally:
            os.close(place)


def _mount_read_only(writable: Sequence[str]) -> None:
    _unshare(_NEW_MOUNTS)
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    for path in writable:
        _mount(path, path, None, _BIND)
    _set_attributes("/", _ALL_BENEATH, _MountAttributes(set=_ATTRIBUTE_READ_ONLY))
    for path in writable:
        _set_attributes(path, 0, _MountAttributes(clear=_ATTRIBUTE_READ_ONLY))
    # The working folder is still the one below the mounts.
    os.chdir(os.getcwd())  # noqa: PTH109


def _open_thread_names() -> None:
    threads = f"/proc/{os.getpid()}/task"
    _mount(threads, threads, None, _BIND)
    _set_attributes(threads, 0, _MountAttributes(clear=_ATTRIBUTE_READ_ONLY))


def _mount_proc() -> None:
    # Read-only is the place and not the file system, so that `open_thread_names` can open one folder of it.
    _mount("proc", "/proc", "proc", _NO_SUID | _NO_DEVICES | _NO_PROGRAMS)
    _set_attributes("/proc", 0, _MountAttributes(set=_ATTRIBUTE_READ_ONLY))


def _unshare(flag: int) -> None:
    checked(libc().unshare(ctypes.c_int(flag)))


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    checked(libc().mount(*texts, ctypes.c_ulong(flags), None))


def _set_attributes(path: str, flags: int, attributes: _MountAttributes) -> None:
    number, size = numbers(os.uname().machine)["mount_setattr"], ctypes.c_size_t(ctypes.sizeof(attributes))
    place = (ctypes.c_int(_HERE), os.fsencode(path), ctypes.c_uint(flags))
    checked(libc().syscall(ctypes.c_long(number), *place, ctypes.byref(attributes), size))
