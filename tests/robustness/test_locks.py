"""Two processes at one thing: one works, the other waits and says for whom; the dead hold nothing."""

import os
import re
import signal
import threading
from pathlib import Path

import pytest

from tests.robustness.conftest import Start
from unseg_bench.run.locks import hold

HOLD = """
import sys
from pathlib import Path
from unseg_bench.run.locks import hold
with hold(Path(sys.argv[1]), lambda text: print(text, flush=True)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["politely", "kill -9"])
def test_who_waits_says_for_whom_and_takes_over(start: Start, tmp_path: Path, end: str) -> None:
    holder = start(HOLD, tmp_path / "run.lock")
    assert holder.stdout.readline() == "held\n"
    waited: list[str] = []
    inside = threading.Event()

    def wait() -> None:
        with hold(tmp_path / "run.lock", waited.append):
            inside.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert not inside.wait(0.5)
    if end == "politely":
        holder.stdin.close()
    else:
        holder.send_signal(signal.SIGKILL)
    assert inside.wait(10)
    waiter.join()
    (line,) = waited
    assert re.fullmatch(rf"waiting: process {holder.pid} \(since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\) is at run", line)


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
    with hold(tmp_path / "run.lock", lambda _: None):
        pass
