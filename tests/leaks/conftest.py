"""A small cohort with masks, a method that tries one way to a mask, and what came of it."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.silent import Silent
from unseg_bench.plugins.manager import Plugins, load_plugins
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.plan import plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.run.session.seal import kernel_obstacle
from unseg_bench.run.settings import make_settings

SECRET = 201
"""Voxels with this value are in no image, so that a mask is known when it is seen."""


@pytest.fixture(scope="session")
def sealable() -> None:
    if (reason := kernel_obstacle()) is not None:
        pytest.skip(reason)


@pytest.fixture
def masked_cohort(tmp_path: Path) -> Path:
    """Four cases of 16 x 16 x 12 voxels; each mask holds SECRET where the tumour is."""
    folder = tmp_path / "data"
    x, y, z = np.mgrid[:16, :16, :12]
    brain = (x - 8) ** 2 + (y - 8) ** 2 + (z - 6) ** 2 < 25
    noise = np.random.default_rng(3)
    for number in range(4):
        tumour = (x - 6 - number) ** 2 + (y - 8) ** 2 + (z - 6) ** 2 < 5
        image = np.where(brain, 100 + noise.normal(size=brain.shape) + 3 * tumour, 0).astype(np.float32)
        case = folder / f"case-{number}"
        case.mkdir(parents=True)
        for name, array in (("flair", image), ("seg", tumour.astype(np.uint8) * SECRET)):
            nib.Nifti1Image(array, np.diag([2.0, 2, 2, 1])).to_filename(case / f"{name}.nii.gz")
    return folder


Run = Callable[..., RunFolder]


@pytest.fixture
def run(masked_cohort: Path, tmp_path: Path) -> Run:
    """Run a method's file, or an installed method, on the cohort; two cases to learn from, two to segment."""

    def make(method: Path | str, plugins: Plugins | None = None, **settings: Any) -> RunFolder:
        options = {"data": str(masked_cohort), "image": "*/flair.nii.gz", "reference": "*/seg.nii.gz", "split": "2:0:2"}
        values = {"methods": [str(method)], "dataset": "folder", "dataset_options": options, "device": "cpu"}
        checked = make_settings(values | settings)
        (plan,) = plan_runs(checked, plugins or load_plugins(), tmp_path / "runs")
        return execute(plan, Silent(), since=time.time())

    return make


@pytest.fixture
def method_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a method's file with the given source; its name is that of the file, `mine`."""

    def make(source: str, name: str = "mine") -> Path:
        path = tmp_path / "plugins" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return path

    return make


@pytest.fixture
def no_leftovers() -> Iterator[None]:
    """Forget the modules of method files that a test loaded unsealed."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("ubench_file_"):
            del sys.modules[name]


def events(run: RunFolder, event: str) -> list[dict[str, Any]]:
    """Lines of a run's log."""
    lines = run.log_file.read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == event]
