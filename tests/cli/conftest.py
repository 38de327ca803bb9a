"""The command line in this process, a tiny cohort on disk, and a tiny method in a file."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.cli.main import main


@dataclass(frozen=True)
class Result:
    """What a call left: exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, which must be JSON and nothing else."""
        return json.loads(self.out)


Ubench = Callable[..., Result]


@pytest.fixture
def ubench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ubench:
    """Call the command line in an empty folder, as a user would."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def error_line() -> Callable[[Result], str]:
    """Return the one line that a failed call must leave on stderr, with nothing on stdout."""

    def check(result: Result) -> str:
        lines = result.err.splitlines()
        assert len(lines) == 1, result.err
        assert lines[0].startswith("Error: ")
        assert result.code == 2
        assert result.out == ""
        return lines[0]

    return check


@pytest.fixture(scope="session")
def cohort_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five brains of 24 x 28 x 20 voxels of 2 mm, each with a bright ball of its own size, and the balls' masks."""
    folder = tmp_path_factory.mktemp("cohort")
    noise = np.random.default_rng(7)
    x, y, z = np.mgrid[:24, :28, :20]
    brain = ((x - 12) / 10) ** 2 + ((y - 14) / 12) ** 2 + ((z - 10) / 8) ** 2 < 1
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    for number in range(5):
        tumour = ((x - 9) ** 2 + (y - 14) ** 2 + (z - 10) ** 2 < (2 + number / 2) ** 2) & brain
        image = np.where(brain, 100 + 10 * noise.standard_normal(brain.shape) + 90 * tumour, 0)
        case = folder / f"case-{number}"
        case.mkdir()
        nib.Nifti1Image(image.astype(np.float32), affine).to_filename(case / "flair.nii.gz")
        nib.Nifti1Image(tumour.astype(np.uint8), affine).to_filename(case / "seg.nii.gz")
    return folder


@pytest.fixture
def cohort(cohort_template: Path, tmp_path: Path) -> Path:
    """A copy of the cohort that a test may spoil."""
    import shutil

    return Path(shutil.copytree(cohort_template, tmp_path / "cohort"))


@pytest.fixture
def data(cohort: Path) -> list[str]:
    """The options that name the cohort: three cases to learn from, two to segment."""
    return [
        *("--data", str(cohort), "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz"),
        *("--split", "3:0:2"),
    ]


METHOD = '''
from pydantic import Field

from unseg_bench import Method, MethodOptions, RunError, stage


@stage("levels")
def find_levels(work, options, training):
    work.progress(1, 2, "half way")
    (work.folder / "level.txt").write_text(str(options.level))
    work.progress(2, 2)


class TinyOptions(MethodOptions):
    level: float = Field(2.0, gt=0, description="Where a tumour begins.")
    fail: bool = False


class Tiny(Method):
    """Bright is tumour; the level comes from a stage."""

    name = "tiny"
    Options = TinyOptions
    presets = {"paper": {}, "low": {"level": 0.5}}

    def fit(self, training, validation, context):
        if self.options.fail:
            raise RunError("tiny: told to fail")
        self.level = float(context.run(find_levels, self.options, training=training).path("level.txt").read_text())

    def segment(self, volume, context):
        return volume.brain & (volume.image > self.level)
'''


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A file with a method that has options, presets and a stage."""
    path = tmp_path / "tiny.py"
    path.write_text(METHOD, encoding="utf-8")
    return path


@pytest.fixture
def two_runs(ubench: Ubench, tiny: Path, data: list[str]) -> Result:
    """The method of the file and `threshold`, run on the cohort."""
    return ubench("run", tiny, "threshold", *data, "--json", "--sealed", "off")


@pytest.fixture
def studied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installed plugin with a method that has stages and studies, and recipes (`studied.py`)."""
    import shutil
    import sys
    from importlib.metadata import EntryPoint, entry_points

    folder = tmp_path / "installed"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("studied.py"), folder / "studied_plugin.py")
    monkeypatch.syspath_prepend(str(folder))
    found = [*entry_points(group="unseg_bench"), EntryPoint("studied", "studied_plugin", "unseg_bench")]
    monkeypatch.setattr("unseg_bench.plugins.manager.entry_points", lambda group: found)
    yield
    sys.modules.pop("studied_plugin", None)
