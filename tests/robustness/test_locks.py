"""Two processes at one thing: one works, the other waits and says for whom; the dead hold nothing."""

import errno
import fcntl
import os
import platform
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import Timeout

from tests.robustness.conftest import Start
from unseg_bench.data.locks import file_lock, has_flock, hold
from unseg_bench.errors import RunError

HOLD = """
import fcntl, os, sys
from pathlib import Path
if sys.argv[2:]:
    def flock(*_):
        raise OSError(int(sys.argv[2]), os.strerror(int(sys.argv[2])))
    fcntl.flock = flock
from unseg_bench.data.locks import hold
with hold(Path(sys.argv[1]), lambda text: print(text, flush=True)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=[None, errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def no_flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """What a file system without `flock` answers, [] for one that has it."""

    def flock(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    has_flock.cache_clear()
    if request.param is not None:
        monkeypatch.setattr(fcntl, "flock", flock)
    yield [] if request.param is None else [request.param]
    has_flock.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["politely", "kill -9"])
def test_who_waits_says_for_whom_and_takes_over(start: Start, tmp_path: Path, no_flock: list[int], end: str) -> None:
    holder = start(HOLD, tmp_path / "run.lock", *no_flock)
    assert holder.stdout.readline() == "held\n"
    waited: list[str] = []
    inside = threading.Event()

    def wait() -> None:
        with hold(tmp_path / "run.lock", waited.append):
            inside.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert not inside.wait(2.5 if no_flock == [errno.ENOSYS] else 0.5)
    if end == "politely":
        holder.stdin.close()
    else:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert inside.wait(10)
    waiter.join()
    (line,) = waited
    told, _, remedy = line.partition(". ")
    when = r"\(since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)"
    assert re.fullmatch(rf"waiting: process {holder.pid} of {platform.node()} {when} is at run", told)
    assert remedy.endswith(f"remove {tmp_path / 'run.held.lock'}") if no_flock else remedy == ""


def test_a_dead_process_s_word_is_not_believed(start: Start, tmp_path: Path) -> None:
    dead = start(HOLD, tmp_path / "run.lock")
    assert dead.stdout.readline() == "held\n"
    dead.kill()
    dead.wait()
    assert str(dead.pid) in (tmp_path / "run.lock").read_text()
    waited: list[str] = []
    with hold(tmp_path / "run.lock", waited.append):
        assert f"process {os.getpid()} " in (tmp_path / "run.lock").read_text()
    assert waited == []
    assert (tmp_path / "run.lock").read_text() == ""


def test_a_lock_file_that_holds_rubbish_is_only_a_name(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_bytes(b"\xff\xfe\0")
    waited: list[str] = []
    with hold(tmp_path / "run.lock", waited.append):
        assert f"process {os.getpid()} " in (tmp_path / "run.lock").read_text()
    assert waited == []


def test_a_process_of_another_machine_holds_what_it_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is alive cannot be seen from here, so its marker is never taken for debris."""
    monkeypatch.setattr("unseg_bench.data.locks.has_flock", lambda _: False)
    (tmp_path / "run.held.lock").write_text("2147483000\nanother-machine\n")
    with pytest.raises(Timeout):
        file_lock(tmp_path / "run.lock").acquire(timeout=0.3, poll_interval=0.05)
    assert (tmp_path / "run.held.lock").is_file()


def test_a_folder_where_nothing_can_be_locked_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    held = hold(tmp_path / "run.lock", lambda _: None)
    with pytest.raises(RunError, match=rf"^{tmp_path}: files there cannot be locked .*UBENCH_CACHE.*--runs"), held:
        pass
