"""A process that runs whatever Python it is told: sealed, with namespaces of its own and without, or not sealed."""

from collections.abc import Callable, Iterator
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
    """Runs code in the process; its value is what the code calls `got`, or the exception as text."""

    def __init__(self, process: SandboxProcess, workspace: Workspace) -> None:
        self.process, self.workspace = process, workspace

    def run(self, code: str) -> Any:
        return self.process.call("run", {"code": code})[0]["got"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sealed]]:
    """Start a process; `wanted`: its namespaces, None: not sealed; `abi`: the newest version of Landlock to be used.

    `gpu`: a folder of files that stand for a GPU's device files.
    """
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "told_from_outside.py").write_text(SERVER)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    started: list[Sealed] = []
    newest = landlock.abi()

    def start(
        wanted: tuple[str, ...] | None = namespaces.ALL, abi: int = 99, gpu: Path | None = None, **given: Any
    ) -> Sealed:
        if wanted is not None and (landlock.abi() == 0 or not seccomp.supported()):
            pytest.skip("this system has no Landlock, or no filter is known for it")
        monkeypatch.setattr(namespaces, "ALL", wanted or ())
        monkeypatch.setattr(landlock, "abi", lambda: min(abi, newest))
        workspace = Workspace(None)
        rules = None if wanted is None else [*policy.interpreter_rules([], []), *workspace.rules]
        if gpu is not None and rules is not None:
            monkeypatch.setattr(policy, "_GPU_DEVICES", (f"{gpu}/nvidia*",))
            rules += policy.gpu_rules()
        process = SandboxProcess(workspace, rules, [], "told_from_outside:serve", given, _no_answer, print)
        started.append(Sealed(process, workspace))
        return started[-1]

    yield start
    for one in started:
        one.process.end()
        one.workspace.leave()


def _no_answer(question: dict[str, Any]) -> Any:
    raise AssertionError(question)
