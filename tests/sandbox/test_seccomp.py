"""The filter of system calls, run as the kernel runs it, for every architecture that it knows."""

import errno
import re
import struct
from pathlib import Path

import pytest

from unseg_bench.sandbox import seccomp, syscalls
from unseg_bench.sandbox.seccomp import METADATA, Surroundings

ALLOW, ERRNO, NOTIFY, KILL = 0x7FFF0000, 0x00050000, 0x7FC00000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = pytest.mark.parametrize("machine", ARCHITECTURES)
OWN, OTHER = 4321, 1234
ALONE = Surroundings(OWN)
SURE = Surroundings(OWN, own_ids=True, no_signals=True, read_only=True)


def answer(machine, number, *arguments, around=ALONE, told=True, architecture=None) -> int:
    """Run the BPF program as the kernel does (linux/filter.h) and return its answer."""
    if isinstance(number, str):
        number = syscalls.numbers(machine)[number]
    steps = list(struct.iter_unpack("=HBBI", seccomp.program(machine, around, told=told)))
    filled = [argument & (1 << 64) - 1 for argument in (*arguments, *[0] * 6)][:6]
    data = struct.pack("<iIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *filled)
    at, loaded = 0, 0
    while True:
        operation, if_true, if_false, value = steps[at]
        at += 1
        if operation == 0x20:
            loaded = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x54:
            loaded &= value
        elif operation == 0x06:
            return value
        else:
            at += if_true if {0x15: loaded == value, 0x35: loaded >= value}[operation] else if_false


@MACHINES
@pytest.mark.parametrize(("told", "refusal"), [(True, NOTIFY), (False, ERRNO | errno.EACCES)])
def test_every_number_is_allowed_by_name_or_refused(machine, told, refusal):
    numbers = syscalls.numbers(machine)
    names = {number: name for name, number in numbers.items()}
    code = seccomp.program(machine, ALONE, told=told)
    assert len(code) // 8 < 4096
    for number in range(600):
        name = names.get(number, "")
        if name in seccomp.checked_calls(ALONE):
            continue
        expected = refusal
        if name in seccomp.ALLOWED or name in {"sendmsg", "seccomp"}:
            expected = ALLOW
        elif name in seccomp.NOT_SUPPORTED:
            expected = ERRNO | errno.ENOTSUP
        elif name in seccomp.NOT_THERE or number > syscalls.LAST:
            expected = ERRNO | errno.ENOSYS
        assert answer(machine, number, told=told) == expected, (number, name)


@MACHINES
def test_what_must_never_be_allowed_is_not(machine):
    never = """
        socket socketpair connect accept accept4 bind listen sendmmsg recvmmsg getsockopt setsockopt
        ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
        pidfd_send_signal pidfd_getfd rt_sigqueueinfo rt_tgsigqueueinfo tkill
        io_uring_setup io_uring_enter io_uring_register io_setup io_submit
        name_to_handle_at open_by_handle_at fanotify_init fanotify_mark inotify_init inotify_init1 inotify_add_watch
        mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr unshare setns
        shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl
        mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr keyctl add_key request_key
        bpf perf_event_open userfaultfd init_module finit_module delete_module kexec_load kexec_file_load syslog
        swapon swapoff reboot acct quotactl quotactl_fd sethostname setdomainname clock_settime settimeofday adjtimex
        clock_adjtime lookup_dcookie mknod mknodat vhangup modify_ldt iopl ioperm
        setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset
        landlock_create_ruleset landlock_restrict_self memfd_secret
    """.split()  # noqa: SIM905
    numbers = syscalls.numbers(machine)
    for around in (ALONE, SURE, Surroundings(OWN, gpu=True)):
        allowed = [name for name in never if name in numbers and answer(machine, name, around=around) == ALLOW]
        assert allowed == []


@MACHINES
def test_numbers_are_unique_and_most_calls_are_known(machine):
    numbers = syscalls.numbers(machine)
    assert len(set(numbers.values())) == len(numbers) > 300
    assert all(name in {**syscalls.numbers("x86_64"), **syscalls.numbers("aarch64")} for name in seccomp.ALLOWED)


@MACHINES
def test_threads_and_forks_but_no_namespaces(machine):
    thread, fork = 0x3D0F00, 0x1200011
    assert answer(machine, "clone", thread) == answer(machine, "clone", fork) == ALLOW
    for flag in (0x80, 0x20000, *(1 << bit for bit in range(25, 31))):
        if flag not in {1 << 31}:
            assert answer(machine, "clone", fork | flag) == NOTIFY, hex(flag)
    assert answer(machine, "clone3") == ERRNO | errno.ENOSYS


@MACHINES
@pytest.mark.parametrize(
    "name",
    ["prlimit64", "sched_setscheduler", "sched_setparam", "sched_setattr", "migrate_pages", "move_pages"],
)
def test_scheduling_and_limits_are_ones_own_whatever_else_is_enforced(machine, name):
    for around in (ALONE, SURE):
        assert answer(machine, name, 0, around=around) == answer(machine, name, OWN, around=around) == ALLOW
        for other in (OTHER, 1, -1, OWN | 1 << 31):
            assert answer(machine, name, other, around=around) == NOTIFY
        # The kernel looks at the lower half alone.
        assert answer(machine, name, OWN | 1 << 32, around=around) == ALLOW


@MACHINES
def test_priorities_are_set_by_process_and_ones_own(machine):
    assert answer(machine, "setpriority", 0, 0) == answer(machine, "ioprio_set", 1, OWN) == ALLOW
    for kind, other in ((0, OTHER), (1, 0), (2, 0), (2, OTHER)):
        assert answer(machine, "setpriority", kind, other) == NOTIFY
        assert answer(machine, "ioprio_set", kind + 1, other) == NOTIFY


@MACHINES
@pytest.mark.parametrize("name", ["kill", "tgkill"])
def test_signals_reach_others_only_where_something_else_refuses_that(machine, name):
    for around in (Surroundings(OWN, own_ids=True), Surroundings(OWN, no_signals=True)):
        assert answer(machine, name, OTHER, around=around) == ALLOW
    assert answer(machine, name, OWN) == ALLOW
    assert answer(machine, name, OTHER) == answer(machine, name, -1) == answer(machine, name, -OTHER) == NOTIFY


@MACHINES
def test_processors_of_others_are_set_only_where_there_are_no_others(machine):
    assert answer(machine, "sched_setaffinity", OTHER, around=Surroundings(OWN, own_ids=True)) == ALLOW
    assert answer(machine, "sched_setaffinity", OTHER, around=Surroundings(OWN, no_signals=True)) == NOTIFY


@MACHINES
def test_modes_owners_and_times_only_where_all_else_is_read_only(machine):
    for name in METADATA & set(syscalls.numbers(machine)):
        assert answer(machine, name) == NOTIFY
        assert answer(machine, name, around=Surroundings(OWN, read_only=True)) == ALLOW


@MACHINES
def test_nothing_is_sent_to_an_address(machine):
    assert answer(machine, "sendto", 5, 99, 1, 0, 0, 0) == ALLOW
    assert answer(machine, "sendto", 5, 99, 1, 0, 0x1000, 16) == NOTIFY
    assert answer(machine, "sendto", 5, 99, 1, 0, 1 << 40, 16) == NOTIFY


@MACHINES
def test_requests_to_devices(machine):
    terminal, console, owner, nvidia, unified, graphics = 0x5412, 0x541C, 0x8901, 0xC020462A, 0x30000001, 0xC0106442
    gpu = Surroundings(OWN, gpu=True)
    for request in (0x5401, 0x541B, 0x5421, 0x40049409):
        assert answer(machine, "ioctl", 1, request) == answer(machine, "ioctl", 1, request, around=gpu) == ALLOW
    for request in (terminal, console, owner, 0x5423, 0x8902, 0x40086602):
        assert answer(machine, "ioctl", 1, request) == answer(machine, "ioctl", 1, request, around=gpu) == NOTIFY
    for request in (nvidia, unified, graphics, 33):
        assert answer(machine, "ioctl", 1, request) == NOTIFY
        assert answer(machine, "ioctl", 1, request, around=gpu) == ALLOW


@MACHINES
def test_a_driver_may_look_for_a_service_that_is_never_there(machine):
    gpu, local, packets, kept = Surroundings(OWN, gpu=True), 1, 5, 0x80000
    assert answer(machine, "socket", local, packets | kept, 0, around=gpu) == ALLOW
    assert answer(machine, "socket", local, packets | kept, 0) == NOTIFY
    for family, kind, protocol in ((local, 1, 0), (local, 2, 0), (2, packets, 0), (16, 3, 0), (local, packets, 1)):
        assert answer(machine, "socket", family, kind | kept, protocol, around=gpu) == NOTIFY
    assert answer(machine, "setsockopt", 5, 1, 16, around=gpu) == ALLOW
    for level, option in ((1, 2), (1, 26), (1, 50), (6, 16)):
        assert answer(machine, "setsockopt", 5, level, option, around=gpu) == NOTIFY
    assert answer(machine, "connect", around=gpu) == ERRNO | errno.ENOENT
    assert answer(machine, "connect") == NOTIFY
    for name in ("bind", "listen", "accept", "accept4", "socketpair", "sendmmsg", "getsockopt"):
        assert answer(machine, name, around=gpu) == NOTIFY


@MACHINES
def test_commands_of_descriptors_and_of_the_process(machine):
    for command in (0, 1, 2, 3, 4, 6, 1030, 1033):
        assert answer(machine, "fcntl", 3, command) == ALLOW
    for command in (8, 10, 15, 1024, 1026):
        assert answer(machine, "fcntl", 3, command) == NOTIFY
    for option in (15, 16, 0x53564D41):
        assert answer(machine, "prctl", option) == ALLOW
    for option in (1, 22, 35, 36, 53, 59, 62, 67, 0x59616D61):
        assert answer(machine, "prctl", option) == NOTIFY
    assert answer(machine, "personality", 0xFFFFFFFF) == ALLOW
    assert answer(machine, "personality", 0x40000) == NOTIFY


def test_the_filter_knows_no_other_kind_of_call():
    assert answer("x86_64", 3, architecture=0x40000003) == KILL
    assert answer("aarch64", 3, architecture=0x40000028) == KILL
    assert answer("x86_64", 0x40000000 | 41) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize(
    ("machine", "headers"),
    [
        ("x86_64", ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h")),
        ("aarch64", ("/usr/include/asm-generic/unistd.h",)),
    ],
)
def test_numbers_are_those_of_the_kernels_headers(machine, headers):
    found = next((Path(header).read_text() for header in headers if Path(header).is_file()), None)
    if found is None:
        pytest.skip("the kernel's headers are not installed")
    known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", found)}
    numbers = syscalls.numbers(machine)
    shared = [name for name in numbers if name in known]
    assert len(shared) > 280
    assert {name: numbers[name] for name in shared} == {name: known[name] for name in shared}
