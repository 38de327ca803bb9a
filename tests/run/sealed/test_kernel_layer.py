"""Landlock's rights, the paths, and the line, each by itself."""

import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from unseg_bench.sandbox import landlock, policy
from unseg_bench.sandbox.channel import Channel, Closed
from unseg_bench.sandbox.landlock import LIST, READ, WORK, Right, Rule


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
