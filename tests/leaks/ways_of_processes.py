"""Ways through the runner's process and lesser calls of the kernel. See thief.py."""

# A thief takes the most basic call.
# ruff: noqa: PTH101, PTH116, PTH208

import ctypes
import fcntl
import os
import resource
import signal
import socket
import tempfile
from pathlib import Path

from thief import AT_FDCWD, MASK_SIZE, attempt, content, libc, system_call

# The runner's process.


@attempt
def root_of_the_runner(places):
    return content(f"/proc/{places.parent}/root{places.mask}")


@attempt
def root_of_this_process(places):
    return content(f"/proc/self/root{places.mask}")


@attempt
def root_of_this_thread(places):
    return content(f"/proc/self/task/{os.getpid()}/root{places.mask}")


@attempt
def mask_written_over_by_way_of_this_thread(places):
    os.close(os.open(f"/proc/self/task/{os.getpid()}/root{places.mask}", os.O_WRONLY))
    return True


@attempt
def descriptors_of_the_runner(places):
    return os.listdir(f"/proc/{places.parent}/fd")


@attempt
def memory_of_the_runner(places):
    return os.open(f"/proc/{places.parent}/mem", os.O_RDONLY)


@attempt
def environment_of_the_runner(places):
    return content(f"/proc/{places.parent}/environ")


@attempt
def process_vm_readv(places):
    maps = content(f"/proc/{os.getpid()}/maps").split(b"-")[0]
    buffer = ctypes.create_string_buffer(8)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_size_t * 2)(int(maps, 16), 8)
    return system_call(310 if os.uname().machine == "x86_64" else 270, places.parent, local, 1, remote, 1, 0)


@attempt
def ptrace_the_runner(places):
    """By a copy of this process, whose end lets go of the runner again."""
    seize = 0x4206
    copy = os.fork()
    if copy == 0:
        try:
            system_call(101 if os.uname().machine == "x86_64" else 117, seize, places.parent, None, None)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 0


@attempt
def descriptor_of_the_runner_by_pidfd(places):
    return system_call(438, os.pidfd_open(places.parent), 1, 0)


@attempt
def signal_the_runner(places):
    os.kill(places.parent, signal.SIGCONT)
    return True


@attempt
def limits_of_the_runner(places):
    return resource.prlimit(places.parent, resource.RLIMIT_CPU)


@attempt
def priority_of_the_runner(places):
    os.setpriority(os.PRIO_PROCESS, places.parent, os.getpriority(os.PRIO_PROCESS, places.parent))
    return True


@attempt
def processors_of_the_runner(places):
    os.sched_setaffinity(places.parent, os.sched_getaffinity(places.parent))
    return True


@attempt
def signal_to_the_runner_when_a_pipe_is_ready(places):
    fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, places.parent)
    return True


# What an accomplice outside can hear or see.


@attempt
def times_of_the_mask(places):
    known = os.stat(places.mask)
    os.utime(places.mask, ns=(known.st_atime_ns, known.st_mtime_ns))
    return True


@attempt
def mode_of_the_mask(places):
    os.chmod(places.mask, os.stat(places.mask).st_mode & 0o777)
    return True


@attempt
def owner_of_the_mask(places):
    os.chown(places.mask, os.getuid(), os.getgid())
    return True


@attempt
def watch_the_masks(places):
    if (watch := libc.inotify_init1(0)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return libc.inotify_add_watch(watch, str(Path(places.mask).parent).encode(), 1) > 0


@attempt
def queue_of_messages(places):
    if (queue := libc.msgget(0, 0o1600)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return libc.msgctl(queue, 0, None) == 0


@attempt
def semaphore(places):
    if (found := libc.semget(0, 1, 0o1600)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return libc.semctl(found, 0, 0) == 0


@attempt
def pair_of_datagram_sockets(places):
    for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM):
        end.close()
    return True


# Lesser calls of the kernel.


@attempt
def file_handle(places):
    handle = (ctypes.c_uint32 * 34)(128)
    numbers = (303, 304) if os.uname().machine == "x86_64" else (264, 265)
    mount = ctypes.c_int()
    system_call(numbers[0], AT_FDCWD, places.mask.encode(), handle, ctypes.byref(mount), 0)
    folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
    return os.read(system_call(numbers[1], folder, handle, os.O_RDONLY), MASK_SIZE)


@attempt
def io_uring(places):
    return system_call(425, 4, (ctypes.c_uint32 * 30)())


@attempt
def a_namespace_of_its_own(places):
    new_user, new_mount = 0x10000000, 0x00020000
    if libc.unshare(new_user | new_mount) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True


@attempt
def bind_mount(places):
    target, bind = tempfile.mkdtemp(), 4096
    if libc.mount(str(Path(places.mask).parent).encode(), target.encode(), None, bind, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return content(Path(target, "seg.nii.gz"))


@attempt
def change_the_root(places):
    child = os.fork()
    if child == 0:
        try:
            os.chroot(Path(places.mask).parent)
            os._exit(0 if content("/seg.nii.gz") else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


@attempt
def device_file(places):
    path = Path(tempfile.mkdtemp(), "disk")
    os.mknod(path, 0o600 | 0o060000, os.stat(places.mask).st_dev)
    return os.open(path, os.O_RDONLY)


@attempt
def overwrite_the_mask(places):
    os.truncate(places.mask, os.stat(places.mask).st_size)
    return True


@attempt
def note_on_a_file(places):
    return os.getxattr(places.mask, "user.mask")
