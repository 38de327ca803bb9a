"""A sealed process that runs whatever Python it is told, with namespaces of its own and without."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from unseg_bench.sandbox import landlock, namespaces, policy, seccomp
from unseg_bench.sandbox.process import SandboxProcess
from unseg_bench.sandbox.workspace import Workspace

SERVER = """
from unseg_bench.sandbox.wire import describe_error

def serve(channel, given):
    while True:
        message, _, _ = channel.receive()
        found = dict(given)
        try:
            exec(message["code"], found)
        except BaseException as error:
            if "raise_all" in found:
                channel.send({"raised": describe_error(error)})
            else:
                channel.send({"got": f"{type(error).__name__}: {error}"})
        else:
            channel.send({"got": found.get("got")})
"""


class Sealed:
    """Runs code in a sealed process; its value is what the code calls `got`, or the exception as text."""

    def __init__(self, process: SandboxProcess, workspace: Workspace) -> None:
        self.process, self.workspace = process, workspace

    def run(self, code: str) -> Any:
        return self.process.call("run", {"code": code})[0]["got"]


@pytest.fixture(scope="session")
def sealable() -> None:
    if landlock.abi() == 0 or not seccomp.supported():
        pytest.skip("this system has no Landlock, or no filter is known for it")


@pytest.fixture
def start(sealable: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sealed]]:
    """Start a sealed process; `wanted`: its namespaces, `abi`: the newest version of Landlock to be used."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "told_from_outside.py").write_text(SERVER)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    started: list[Sealed] = []
    newest = landlock.abi()

    def start(wanted: tuple[str, ...] = namespaces.ALL, abi: int = 99, **given: Any) -> Sealed:
        monkeypatch.setattr(namespaces, "ALL", wanted)
        monkeypatch.setattr(landlock, "abi", lambda: min(abi, newest))
        workspace = Workspace(None)
        rules = [*policy.interpreter_rules([], []), *workspace.rules]
        process = SandboxProcess(workspace, rules, [], "told_from_outside:serve", given, _no_answer, print)
        started.append(Sealed(process, workspace))
        return started[-1]

    yield start
    for one in started:
        one.process.end()
        one.workspace.leave()


def _no_answer(question: dict[str, Any]) -> Any:
    raise AssertionError(question)


@pytest.fixture
def working_in() -> Callable[[Path], list[Path]]:
    """List this machine's processes whose working folder is below one, by their folder in /proc; no zombies."""

    def find(folder: Path) -> list[Path]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cwd").readlink().is_relative_to(folder.resolve()):
                    found.append(process)
        return found

    return find
