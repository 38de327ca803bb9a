"""What a sealed process cannot do to others, with namespaces of its own and without, and what it may do to itself."""

import os
import subprocess
import sys

import pytest

from unseg_bench.sandbox import landlock, namespaces

WAYS = {"namespaces": {}, "no namespaces": {"wanted": ()}, "old kernel": {"wanted": (), "abi": 1}}
TOOLS = """
import ctypes, errno, fcntl, os, resource, signal, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
from unseg_bench.sandbox.syscalls import numbers
known = numbers(os.uname().machine)
def call(name, *arguments):
    if libc.syscall(ctypes.c_long(known[name]), *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""
OUTSIDE = {
    "signal": "os.kill(runner, signal.SIGCONT)",
    "signal to a thread": "call('tgkill', runner, runner, signal.SIGCONT)",
    "signal by an older name": "call('tkill', runner, signal.SIGCONT)",
    "signal with a value": "call('rt_sigqueueinfo', runner, signal.SIGCONT, (ctypes.c_char * 128)())",
    "signal by a descriptor": "signal.pidfd_send_signal(os.pidfd_open(runner), signal.SIGCONT)",
    "signal when a pipe is ready": "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, runner)",
    "limits": "resource.prlimit(runner, resource.RLIMIT_CPU, (1, 1))",
    "reading limits": "resource.prlimit(runner, resource.RLIMIT_CPU)",
    "priority": "os.setpriority(os.PRIO_PROCESS, runner, 19)",
    "priority of the group": "os.setpriority(os.PRIO_PGRP, 0, 19)",
    "priority of the user": "os.setpriority(os.PRIO_USER, 0, 19)",
    "processors": "os.sched_setaffinity(runner, {0})",
    "scheduler": "os.sched_setscheduler(runner, os.SCHED_BATCH, os.sched_param(0))",
    "scheduler by attributes": "call('sched_setattr', runner, (ctypes.c_char * 56)(56), 0)",
    "priority at the disk": "call('ioprio_set', 1, runner, 3 << 13)",
    "priority of the user at the disk": "call('ioprio_set', 3, os.getuid(), 3 << 13)",
    "advice on memory": "call('process_madvise', 0, None, 0, 20, 0)",
    "pages": "call('move_pages', runner, 0, None, None, None, 0)",
    "memory nodes": "call('migrate_pages', runner, 0, None, None)",
    "comparing": "call('kcmp', os.getpid(), runner, 0, 0, 0)",
    "tracing": "call('ptrace', 0x4206, runner, None, None)",
}
KERNEL = {
    "semaphores": "call('semget', 1, 1, 0o1600)",
    "using a semaphore": "call('semop', 0, None, 0)",
    "changing a semaphore": "call('semctl', 0, 0, 0, 0)",
    "message queue": "call('msgget', 1, 0o1600)",
    "sending a message": "call('msgsnd', 0, b'12345678x', 1, 0)",
    "shared segment": "call('shmget', 1, 64, 0o1600)",
    "named queue": "call('mq_open', b'q', 0o102, 0o600, None)",
    "pair of sockets": "socket.socketpair()",
    "pair of datagrams": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "connecting the line anew": "call('connect', line, b'\\\\1\\\\0/x', 4)",
    "sending to an address": "call('sendto', line, b'x', 1, 0, b'\\\\1\\\\0/x', 4)",
    "sending a descriptor": "call('sendmsg', line, (ctypes.c_char * 56)(), 0)",
    "watching files": "call('inotify_init1', 0)",
    "watching all files": "call('fanotify_init', 0, 0)",
    "watching a folder": "fcntl.fcntl(os.open('.', os.O_RDONLY), fcntl.F_NOTIFY, 1)",
    "keys": "call('keyctl', 0, -3, 0)",
    "adding a key": "call('add_key', b'user', b'x', b'y', 1, -3)",
    "personality": "call('personality', 0x0040000)",
    "performance counters": "call('perf_event_open', None, 0, -1, -1, 0)",
    "programs in the kernel": "call('bpf', 0, None, 0)",
    "faults of memory": "call('userfaultfd', 1)",
    "ring of calls": "call('io_uring_setup', 1, None)",
    "input of a terminal": "call('ioctl', 0, 0x5412, b'x')",
    "console": "call('ioctl', 0, 0x541C, b'x')",
    "owner of a socket": "call('ioctl', line, 0x8901, ctypes.byref(ctypes.c_int(1)))",
    "memory map": "call('prctl', 35, 9, 0, 0, 0)",
    "life after the parent": "call('prctl', 1, 0, 0, 0, 0)",
    "orphans": "call('prctl', 36, 1, 0, 0, 0)",
    "another filter": "call('seccomp', 1, 0, None)",
    "another filter by an older name": "call('prctl', 22, 2, None, 0, 0)",
    "namespace": "call('unshare', 0x10000000)",
    "namespace of a new process": "call('clone', 0x10000011, 0, 0, 0, 0)",
    "mount": "call('mount', b'/tmp', b'/mnt', None, 4096, None)",
    "new kind of mount": "call('fsopen', b'tmpfs', 0)",
    "clock": "call('clock_settime', 0, (ctypes.c_long * 2)())",
    "user": "call('setuid', 1)",
    "device": "call('mknodat', -100, b'd', 0o60600, 0)",
    "name of the machine": "call('sethostname', b'x', 1)",
}
UNTOLD = {"signal by a descriptor"}
"""Answered with ENOSYS, so that callers do without."""


@pytest.fixture(params=WAYS)
def sealed(start, request):
    found = start(**WAYS[request.param], runner=os.getpid())
    found.run(TOOLS)
    return found


def refused(inside, attempt: str) -> str:
    code = f"{TOOLS}\nline = int(sys.argv[1])\ngot = 'done'\ntry:\n    {attempt}\nexcept OSError as error:\n"
    return inside.run(f"{code}    got = errno.errorcode[error.errno]")


def test_nothing_reaches_another_process_or_other_calls_of_the_kernel(sealed):
    before = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    answers = {name: refused(sealed, attempt) for name, attempt in {**OUTSIDE, **KERNEL}.items()}
    refusals = {"EACCES", "EPERM", "ESRCH"}
    assert {name: told for name, told in answers.items() if told not in refusals and name not in UNTOLD} == {}
    assert {answers[name] for name in UNTOLD} == {"ENOSYS"}
    assert (os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)) == before


def test_without_the_seal_most_of_this_is_done(tmp_path):
    """These are real ways: an ordinary user's process does them to another of the same user."""
    needs_more = {
        *("signal to a thread", "signal by an older name", "signal with a value", "advice on memory", "pages"),
        *("memory nodes", "comparing", "tracing", "using a semaphore", "changing a semaphore", "sending a message"),
        *("named queue", "connecting the line anew", "sending to an address", "sending a descriptor", "keys"),
        *("watching all files", "adding a key", "performance counters", "programs in the kernel", "faults of memory"),
        *("ring of calls", "input of a terminal", "console", "owner of a socket", "memory map", "another filter"),
        *("another filter by an older name", "namespace", "namespace of a new process", "mount", "new kind of mount"),
        *("clock", "user", "device", "name of the machine", "scheduler by attributes", "signal by a descriptor"),
    }
    attempts = {name: attempt for name, attempt in {**OUTSIDE, **KERNEL}.items() if name not in needs_more}
    with subprocess.Popen(["/bin/sleep", "60"]) as victim:
        lines = [f"runner = {victim.pid}", TOOLS, "told = {}"]
        for name, attempt in attempts.items():
            lines += ["try:", f"    {attempt}; told[{name!r}] = 'done'"]
            lines += ["except OSError as error:", f"    told[{name!r}] = errno.errorcode[error.errno]"]
        code = "\n".join([*lines, "libc.semctl(libc.semget(1, 1, 0), 0, 0); libc.msgctl(libc.msgget(1, 0), 0, None)"])
        code += "\nlibc.shmctl(libc.shmget(1, 64, 0), 0, None); print(told)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            start_new_session=True,
        )
        victim.kill()
    assert eval(done.stdout) == dict.fromkeys(attempts, "done"), done.stderr
    assert len(attempts) > 20


def test_a_process_may_do_all_this_to_itself(sealed):
    attempts = [
        "os.kill(os.getpid(), 0); os.kill(0, 0); signal.raise_signal(signal.SIGWINCH)",
        "resource.prlimit(os.getpid(), resource.RLIMIT_CORE); resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
        "os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0)); os.nice(1)",
        "os.sched_setaffinity(0, os.sched_getaffinity(0))",
        "os.memfd_create('x'); os.eventfd(1); os.pipe(); fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 9)",
        "fcntl.flock(os.open('lock', os.O_CREAT | os.O_WRONLY), fcntl.LOCK_EX)",
        "os.mkdir('a'); open('a/b', 'w').close(); os.replace('a/b', 'a/c'); os.remove('a/c'); os.rmdir('a')",
        "import threading; one = threading.Thread(target=print); one.start(); one.join()",
        "assert os.waitstatus_to_exitcode(os.waitpid(os.fork() or os._exit(7), 0)[1]) == 7",
        "assert subprocess.run(['/bin/echo', 'on'], capture_output=True, check=True).stdout == b'on\\n'",
    ]
    assert {attempt: refused(sealed, attempt) for attempt in attempts} == dict.fromkeys(attempts, "done")
    assert sealed.process.refused_calls == []


@pytest.mark.parametrize("way", ["namespaces", "no namespaces"])
def test_modes_owners_and_times_of_files_outside_stay(start, tmp_path, way):
    file = tmp_path / "modules" / "told_from_outside.py"
    before = file.stat()
    inside = start(**WAYS[way])
    changes = {
        "mode": f"os.chmod({str(file)!r}, 0o777)",
        "mode of an open file": f"os.fchmod(os.open({str(file)!r}, os.O_RDONLY), 0o777)",
        "owner": f"os.chown({str(file)!r}, os.getuid(), os.getgid())",
        "times": f"os.utime({str(file)!r}, (1, 1))",
        "times of an open file": f"os.utime(os.open({str(file)!r}, os.O_RDONLY), (1, 1))",
        "note": f"os.setxattr({str(file)!r}, 'user.x', b'x')",
        "removing a note": f"os.removexattr({str(file)!r}, 'user.x')",
    }
    answers = {name: refused(inside, change) for name, change in changes.items()}
    assert set(answers.values()) <= {"EROFS", "EACCES", "ENOTSUP", "EOPNOTSUPP"}
    now = file.stat()
    assert (now.st_mode, now.st_mtime_ns, now.st_ctime_ns) == (before.st_mode, before.st_mtime_ns, before.st_ctime_ns)
    own = refused(inside, "open('own', 'w').close(); os.chmod('own', 0o600); os.utime('own', (1, 1))")
    mounted = inside.process.enforced["namespaces"].get(namespaces.MOUNT) == namespaces.ENFORCED
    assert own == ("done" if mounted else "EACCES")


def test_with_its_own_processes_it_sees_no_others(start):
    inside = start()
    if inside.process.enforced["namespaces"].get("proc") != namespaces.ENFORCED:
        pytest.skip("this system gives no namespace of processes")
    assert inside.run("import os\ngot = sorted(int(name) for name in os.listdir('/proc') if name.isdecimal())") in (
        "PermissionError: [Errno 13] Permission denied: '/proc'",
        [1, 2],
    )
    seen = "import os\ngot = [os.path.exists(f'/proc/{number}') for number in (1, os.getpid(), runner)]"
    again = start(runner=os.getpid())
    assert again.run(seen) == [True, True, False]
    assert again.run("import os\ngot = os.getpid()") < 10


def test_what_is_enforced_is_said_with_the_reason_where_it_is_not(start):
    assert set(start().process.enforced["namespaces"]) >= set(namespaces.ALL)
    assert start(wanted=()).process.enforced == {"namespaces": {}, "refused_calls_told": "yes"}
    code = """
import json
from unseg_bench.sandbox import namespaces
first = namespaces.leave(["user"])
if first == {"user": "yes"}:
    open("/proc/sys/user/max_net_namespaces", "w").write("0")
    print(json.dumps(namespaces.leave(["network", "uts"])))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    if done.stdout:
        assert done.stdout.strip() == '{"network": "no: No space left on device", "uts": "yes"}'


def test_refused_calls_are_told_once_in_order_and_not_the_harness_own(start):
    inside = start()
    assert inside.process.refused_calls == []
    for attempt in (KERNEL["semaphores"], "call('prctl', 35, 9, 0, 0, 0)", KERNEL["semaphores"], "socket.socket()"):
        refused(inside, attempt)
    refused(inside, "subprocess.run([sys.executable, '-S', '-c', 'import socket; socket.socketpair()'])")
    assert inside.process.refused_calls == ["semget", "prctl 0x23", "socket", "socketpair"]
    refused(inside, "[0 for number in range(5000) if libc.ioctl(0, number)]")
    inside.process.end()
    assert len(inside.process.refused_calls) == 200


def test_a_filter_whose_calls_nobody_hears_of_refuses_all_the_same(start, monkeypatch):
    code = """
from unseg_bench.sandbox import privileges, seccomp
import os, socket
privileges.drop()
for _ in range(2):
    listener, why = seccomp.restrict(seccomp.Surroundings(os.getpid()))
    print(listener is None, why)
try:
    socket.socket()
except OSError as error:
    print(error.errno)
"""
    # A second filter with a listener is what a container's own makes impossible.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[1:] == ["True Device or resource busy (seccomp)", "13"]


LISTS = "subprocess.run(['/bin/ls', '/root'], check=True"


def test_a_program_that_fails_says_why_caught_or_not(start, capsys):
    from unseg_bench.sandbox.wire import PRINTED, Thrown

    inside = start()
    for options in (")", ", stderr=subprocess.PIPE)", ", capture_output=True, text=True)"):
        with pytest.raises(Thrown, match=rf"returned non-zero.*{PRINTED}/bin/ls: .*/root.*: Permission denied"):
            inside.run(f"raise_all = True\nimport subprocess\n{LISTS}{options}")


def test_a_process_that_ends_says_what_it_printed_and_nothing_steers_the_terminal(start, capsys):
    from unseg_bench.sandbox.process import ProcessLost

    with pytest.raises(ProcessLost, match=r"exit code 3 It printed: first \| \\x1b\[31mlast$"):
        start().run("import os\nos.write(1, b'first\\n\\x1b[31mlast\\n')\nos._exit(3)")
    assert capsys.readouterr().err == "first\n\\x1b[31mlast\n"


def test_without_landlocks_scope_signals_reach_only_the_process_itself(start):
    assert landlock.SCOPE_ABI > 1
    inside = start(wanted=(), abi=1)
    child = "child = subprocess.Popen(['/bin/sleep', '60'])\n    "
    assert refused(inside, f"{child}child.kill()") == refused(inside, "os.kill(-1, signal.SIGCONT)") == "EACCES"
