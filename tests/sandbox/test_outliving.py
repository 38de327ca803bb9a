"""No process outlives a method's own: not when it ends, not when it is ended, not when the runner is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from unseg_bench.sandbox import namespaces, privileges
from unseg_bench.sandbox.process import ProcessLost

HIDES = """
import os, signal, subprocess, time
from pathlib import Path
def far(name):
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            Path(name).touch()
            time.sleep(600)
        os._exit(0)
subprocess.Popen(['/bin/sleep', '600'])
for number in range(3):
    far(str(number))
os.wait()
while sum(name.isdecimal() for name in os.listdir('.')) < 3:
    time.sleep(0.01)
got = 'hidden'
"""
"""A child, and grandchildren that left their parents, groups and sessions, and ignore signals."""
WAYS = {"namespaces": namespaces.ALL, "no namespaces": (), "no seal": None}


@pytest.fixture(params=WAYS)
def wanted(request):
    return WAYS[request.param]


def test_nothing_is_left_when_the_runner_ends_it(start, wanted, working_in):
    inside = start(wanted)
    assert inside.run(HIDES) == "hidden"
    assert len(working_in(inside.workspace.folder)) >= 6
    inside.process.end()
    assert working_in(inside.workspace.folder) == []


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("os._exit(7)", "ended by itself with exit code 7"),
        ("os.kill(os.getpid(), 9)", "ended by SIGKILL; it may have run out of memory"),
        ("os.abort()", "ended by SIGABRT"),
    ],
)
def test_nothing_is_left_when_it_ends_by_itself_and_its_end_is_told(start, wanted, working_in, end, told):
    inside = start(wanted)
    with pytest.raises(ProcessLost, match=told):
        inside.run(f"{HIDES}\n{end}")
    assert working_in(inside.workspace.folder) == []


RUNNER = """
import sys, time
from unseg_bench.sandbox import namespaces, policy
from unseg_bench.sandbox.process import SandboxProcess
from unseg_bench.sandbox.workspace import Workspace
wanted = eval(sys.argv[1])
namespaces.ALL = wanted or ()
workspace = Workspace(None)
rules = None if wanted is None else [*policy.interpreter_rules([], []), *workspace.rules]
process = SandboxProcess(workspace, rules, [], "told_from_outside:serve", {}, print, print)
print(process.call("run", {"code": sys.argv[2]})[0]["got"], workspace.folder, flush=True)
time.sleep(600)
"""


def test_nothing_is_left_when_the_runner_is_killed(start, wanted, working_in, tmp_path):
    command = [sys.executable, "-c", RUNNER, repr(wanted), HIDES]
    where = {**os.environ, "PYTHONPATH": str(tmp_path / "modules")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=where) as runner:
        told, _, folder = runner.stdout.readline().strip().partition(" ")
        assert told == "hidden"
        workspace = type(tmp_path)(folder)
        assert len(working_in(workspace)) >= 6
        runner.send_signal(signal.SIGKILL)
        until = time.monotonic() + 20
        while working_in(workspace):
            assert time.monotonic() < until
            time.sleep(0.01)


IN_ITS_GROUP = """
import subprocess
for _ in range(2):
    subprocess.Popen(['/bin/sh', '-c', 'sleep 600 & sleep 600'])
got = 'begun'
"""


@pytest.mark.parametrize("hangs_up", [False, True], ids=["ended", "the runner hangs up"])
def test_without_linux_its_group_ends_with_it(start, monkeypatch, working_in, hangs_up):
    """What left the group stays there: no other system gives orphans to a process of ours."""
    monkeypatch.setattr(privileges, "can_adopt", lambda: False)
    inside = start(None)
    assert inside.run(IN_ITS_GROUP) == "begun"
    until = time.monotonic() + 20
    while len(working_in(inside.workspace.folder)) < 7:
        assert time.monotonic() < until
        time.sleep(0.01)
    if hangs_up:
        inside.process._channel.close()
        inside.process._process.wait(20)
    else:
        inside.process.end()
    until = time.monotonic() + 20
    while working_in(inside.workspace.folder):  # killed ones are seen until they are gone
        assert time.monotonic() < until
        time.sleep(0.01)
