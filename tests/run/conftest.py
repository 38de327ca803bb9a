"""The toy method and data set, and a way to run them here or in a process of their own."""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.silent import Silent
from unseg_bench.plugins.manager import Plugins
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.plan import RunPlan, plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.run.settings import make_settings

TOY = Path(__file__).with_name("toy_plugin.py")
DRIVER = """
import json, os, sys
from pathlib import Path
import torch  # once, before the forks: it takes seconds
from unseg_bench.plugins.manager import Plugins
from tests.silent import Silent
from unseg_bench.run.plan import plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.run.settings import make_settings

def attempt(folder, kill_at):
    os.environ |= {"UBENCH_CACHE": folder + "/cache", "TOY_KILL_AT": str(kill_at), "TOY_LOG": folder + "/toy.log"}
    plugins = Plugins()
    plugins.load_file(Path(sys.argv[1]))
    settings = make_settings({"methods": ["toy"], "dataset": "toy", "device": "cpu", "sealed": "off"})
    for plan in plan_runs(settings, plugins, Path(folder, "runs")):
        execute(plan, Silent())

for folder, kill_at in json.loads(sys.argv[2]):
    Path(folder).mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        attempt(folder, kill_at)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class ToyRuns:
    """Plans and runs the toy method; `lines` is what was computed so far, one line a step."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.log = folder / "toy.log"
        self.log.touch()
        monkeypatch.setenv("TOY_LOG", str(self.log))
        self.plugins = Plugins()
        self.plugins.load_file(TOY)

    def plan(self, **settings: Any) -> RunPlan:
        (plan,) = self.plans(**settings)
        return plan

    def plans(self, **settings: Any) -> list[RunPlan]:
        # Toys write their log and kill themselves, which a sealed process cannot do.
        values = {"methods": ["toy"], "dataset": "toy", "device": "cpu", "sealed": "off", **settings}
        return plan_runs(make_settings(values), self.plugins, self.folder / "runs")

    def run(self, *, force: bool = False, **settings: Any) -> RunFolder:
        return execute(self.plan(**settings), Silent(), since=time.time() if force else None)

    def attempts(self, schedule: list[tuple[Path, int]]) -> list[int]:
        """Run in one process after the other, each with its folder and the step at which it kills itself (0: never)."""
        listing = json.dumps([(str(folder), kill_at) for folder, kill_at in schedule])
        command = [sys.executable, "-c", DRIVER, str(TOY), listing]
        done = subprocess.run(command, check=True, timeout=240, capture_output=True, text=True)
        return [int(line) for line in done.stdout.split()]

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def forget(self) -> None:
        self.log.write_text("")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToyRuns:
    return ToyRuns(tmp_path, monkeypatch)


@pytest.fixture
def module_from(tmp_path: Path) -> Callable[[str, str], str]:
    """Write a module's source into a folder of its own and import it afresh; returns its name."""

    def make(source: str, folder: str = "one") -> str:
        path = tmp_path / folder / "written_by_test.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
        name = "written_by_test"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return name

    yield make
    sys.modules.pop("written_by_test", None)
