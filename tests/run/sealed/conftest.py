"""Sealed and unsealed runs of methods written by a test, on a tiny cohort; skips where nothing can be sealed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.run.sealed.mask_runs import Masks
from tests.silent import Silent
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.plan import RunPlan, plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.run.session.seal import kernel_obstacle
from unseg_bench.run.settings import make_settings

DRIVER = """
import signal
import sys
import time
from pathlib import Path
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.plan import plan_runs
from tests.silent import Silent
from unseg_bench.run.runner import execute
from unseg_bench.run.settings import make_settings
# What starts the tests in the background (nohup, a shell's &) may have it ignored, which children inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings = make_settings(eval(sys.argv[1]))
execute(plan_runs(settings, load_plugins(), Path(sys.argv[2]))[0], Silent())
"""


@pytest.fixture
def sealable() -> None:
    if (reason := kernel_obstacle()) is not None:
        pytest.skip(reason)


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """Five cases of 14 x 12 x 10 voxels, one of them healthy."""
    folder = tmp_path / "data"
    x, y, z = np.mgrid[:14, :12, :10]
    brain = (x - 7) ** 2 + (y - 6) ** 2 + (z - 5) ** 2 < 20
    noise = np.random.default_rng(11)
    for name in ("case-0", "case-1", "case-2", "case-3", "well-4"):
        tumour = ((x - 6) ** 2 + (y - 6) ** 2 + (z - 5) ** 2 < 4) & (name != "well-4")
        image = np.where(brain, 100 + noise.normal(size=brain.shape) + 5 * tumour, 0).astype(np.float32)
        (folder / name).mkdir(parents=True)
        for kind, array in (("flair", image), ("seg", tumour.astype(np.uint8))):
            nib.Nifti1Image(array, np.diag([2.0, 2, 2, 1])).to_filename(folder / name / f"{kind}.nii.gz")
    return folder


class Bench:
    """Plans and runs the method in `file`, which a test writes with `method`."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data = folder, data
        self.file = folder / "mine.py"

    def method(self, source: str) -> "Bench":
        self.file.write_text("import os, time\nimport numpy as np\nfrom unseg_bench import *\n" + source)
        return self

    def values(self, **settings: Any) -> dict[str, Any]:
        patterns = {"image": "case-*/flair.nii.gz", "reference": "case-*/seg.nii.gz", "healthy": "well-*/flair.nii.gz"}
        options = {"data": str(self.data), **patterns, "split": "2:0:2"}
        plain = {"methods": [str(self.file)], "dataset": "folder", "dataset_options": options, "device": "cpu"}
        return plain | settings

    def plan(self, **settings: Any) -> RunPlan:
        (plan,) = plan_runs(make_settings(self.values(**settings)), load_plugins(), self.folder / "runs")
        return plan

    def run(self, *, force: bool = False, reporter: Any = None, **settings: Any) -> RunFolder:
        return execute(self.plan(**settings), reporter or Silent(), since=time.time() if force else None)

    def masks(self, run: RunFolder) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (run.path / "predictions").iterdir()}

    def notes(self, run: RunFolder) -> list[Any]:
        return [line["value"] for line in run.events() if line["event"] == "note"]

    def start(self, **settings: Any) -> "subprocess.Popen[bytes]":
        """Run in a process of its own, to be killed."""
        command = [sys.executable, "-c", DRIVER, repr(self.values(**settings)), str(self.folder / "runs")]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))


@pytest.fixture
def bench(sealable: None, tmp_path: Path, tiny_data: Path) -> Iterator[Bench]:
    before = set(sys.modules)
    yield Bench(tmp_path, tiny_data)
    for name in {name for name in sys.modules if name.startswith("ubench_file_")} - before:
        del sys.modules[name]


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object], seconds: float = 30.0) -> None:
        import time

        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.01)

    return wait


@pytest.fixture
def masks(bench):
    return Masks(bench)
