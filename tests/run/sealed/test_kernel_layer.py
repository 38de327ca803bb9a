"""Landlock's rights, the seccomp program, the paths, and the line, each by itself."""

import errno
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from unseg_bench.sandbox import landlock, policy, seccomp
from unseg_bench.sandbox.channel import Channel, Closed
from unseg_bench.sandbox.landlock import LIST, READ, WORK, Right, Rule

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def answer(machine: str, number: int, argument: int = 0, architecture: int | None = None) -> int:
    """Run the BPF program as the kernel does (linux/filter.h) and return its answer."""
    code = seccomp.program(machine)
    steps = list(struct.iter_unpack("=HBBI", code))
    data = struct.pack("<iIQ6Q", number, architecture or ARCHITECTURES[machine], 0, argument, 0, 0, 0, 0, 0)
    at, loaded = 0, 0
    while True:
        operation, if_true, if_false, value = steps[at]
        at += 1
        if operation == 0x20:
            loaded = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x06:
            return value
        else:
            true = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[operation]
            at += if_true if true else if_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_refuses_what_it_lists_and_nothing_else(machine):
    column = list(ARCHITECTURES).index(machine)
    refused = {numbers[column] for numbers in seccomp.CALLS.values()}
    not_supported = {numbers[column] for numbers in seccomp.NOT_SUPPORTED.values()}
    for number in range(600):
        expected = ALLOW
        if number in refused:
            expected = ERRNO | errno.EACCES
        elif number in not_supported:
            expected = ERRNO | errno.ENOTSUP
        elif number == 435:
            expected = ERRNO | errno.ENOSYS
        assert answer(machine, number) == expected, number


def test_filter_lets_threads_and_forks_be_but_no_namespaces():
    thread, fork, new_user, new_network = 0x3D0F00, 0x1200011, 0x10000000, 0x40000000
    for machine, clone in (("x86_64", 56), ("aarch64", 220)):
        assert answer(machine, clone, thread) == answer(machine, clone, fork) == ALLOW
        assert answer(machine, clone, fork | new_user) == ERRNO | errno.EACCES
        assert answer(machine, clone, new_network) == ERRNO | errno.EACCES


def test_filter_knows_no_other_kind_of_call():
    assert answer("x86_64", 3, architecture=0x40000003) == KILL
    assert answer("x86_64", 0x40000000 | 41) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize(
    ("column", "headers"),
    [
        (0, ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h")),
        (1, ("/usr/include/asm-generic/unistd.h",)),
    ],
)
def test_numbers_are_those_of_the_kernels_headers(column, headers):
    found = next((Path(header).read_text() for header in headers if Path(header).is_file()), None)
    if found is None:
        pytest.skip("the kernel's headers are not installed")
    known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", found)}
    listed = {**seccomp.CALLS, **seccomp.NOT_SUPPORTED}
    shared = [name for name in listed if name in known]
    assert len(shared) > 40
    assert {name: listed[name][column] for name in shared} == {name: known[name] for name in shared}


def test_rights_grow_with_the_version():
    assert landlock.handled_rights(0) == Right(0)
    assert not landlock.handled_rights(1) & Right.REFER
    assert landlock.handled_rights(2) & Right.REFER
    assert not landlock.handled_rights(2) & Right.TRUNCATE
    assert landlock.handled_rights(4) == landlock.handled_rights(3) == Right((1 << 15) - 1)
    assert landlock.handled_rights(7) & Right.IOCTL_DEV


def test_no_links_pipes_sockets_or_devices_in_a_place_to_work():
    for right in (Right.MAKE_SYM, Right.MAKE_FIFO, Right.MAKE_SOCK, Right.MAKE_CHAR, Right.MAKE_BLOCK):
        assert not WORK & right


def test_restriction_binds_files_threads_and_programs(tmp_path):
    if landlock.abi() == 0:
        pytest.skip("this system has no Landlock")
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "file").write_text("shown")
    (tmp_path / "hidden").write_text("hidden")
    code = f"""
import subprocess, sys, threading
from pathlib import Path
from unseg_bench.sandbox import landlock, privileges
from unseg_bench.sandbox.policy import interpreter_rules
rules = [*interpreter_rules([], []), landlock.Rule(Path({str(tmp_path / "shown")!r}), landlock.READ)]
privileges.drop()
landlock.restrict(rules, landlock.abi())
said = []
def read(path):
    try:
        said.append(Path(path).read_text())
    except PermissionError:
        said.append("refused")
for path in ({str(tmp_path / "shown" / "file")!r}, {str(tmp_path / "hidden")!r}):
    read(path)
    thread = threading.Thread(target=read, args=(path,)); thread.start(); thread.join()
    said.append(subprocess.run(["cat", path], capture_output=True, text=True).stdout or "refused")
print(*said)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["shown"] * 3 + ["refused"] * 3


def test_a_hidden_folder_is_carved_out_and_links_are_not_followed(tmp_path):
    (tmp_path / "site" / "package" / "inner").mkdir(parents=True)
    (tmp_path / "site" / "other").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "site" / "link").symlink_to(tmp_path / "outside")
    rules = list(policy._carve(tmp_path / "site", [tmp_path / "site" / "package" / "inner"]))
    assert rules == [
        Rule(tmp_path / "site", LIST),
        Rule(tmp_path / "site" / "other", READ),
        Rule(tmp_path / "site" / "package", LIST),
    ]


def test_a_hole_is_found_from_any_depth_and_through_links(tmp_path):
    (tmp_path / "data" / "case").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data" / "case")
    rules = [Rule(tmp_path / "data", READ)]
    assert policy.find_hole(rules, [tmp_path / "link" / "seg.nii.gz"]) == (
        tmp_path / "data",
        tmp_path / "link" / "seg.nii.gz",
    )
    assert policy.find_hole([Rule(tmp_path / "data", LIST)], [tmp_path / "data" / "case"]) is None
    assert policy.find_hole([Rule(tmp_path / "data" / "case" / "x", READ)], [tmp_path / "data"]) is None


def test_own_package_is_the_outermost_regular_one():
    assert policy.own_package("unseg_bench.sandbox.policy") == ("unseg_bench", Path(policy.__file__).parents[1])
    assert policy.own_package("this")[0] == "this"
    with pytest.raises(ModuleNotFoundError):
        policy.own_package("there_is_no_such_module")


def pair() -> tuple[Channel, Channel]:
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)


def test_line_carries_text_bytes_and_files(tmp_path):
    ours, theirs = pair()
    (tmp_path / "file").write_text("content")
    file = os.open(tmp_path / "file", os.O_RDONLY)
    payload = os.urandom(1 << 20)
    sender = threading.Thread(target=ours.send, args=({"ü": [1, None, "\udcff"]}, payload, [file]))
    sender.start()
    message, received, files = theirs.receive(take_files=True)
    sender.join()
    assert (message, received) == ({"ü": [1, None, "\udcff"]}, payload)
    assert os.read(files[0], 99) == b"content"
    assert not os.get_inheritable(files[0])
    ours.close()
    with pytest.raises(Closed):
        theirs.receive()
    with pytest.raises(Closed):
        theirs.send({})
    theirs.close()
    for one in (file, *files):
        os.close(one)


def test_files_from_the_wrong_side_are_not_taken(tmp_path):
    ours, theirs = pair()
    (tmp_path / "file").touch()
    file = os.open(tmp_path / "file", os.O_RDONLY)
    theirs.send({"a": 1}, files=[file])
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    assert ours.receive() == ({"a": 1}, b"", [])
    assert {path.name for path in Path("/proc/self/fd").iterdir()} == before
    for one in (ours, theirs):
        one.close()
    os.close(file)


@pytest.mark.parametrize("head", [(1 << 40, 0), (2, 1 << 40)])
def test_a_message_that_is_too_long_is_refused(head):
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack("!QQ", *head) + b"{}")
    with pytest.raises(ValueError, match="too long"):
        Channel(ours).receive()
    ours.close()
    theirs.close()
