"""The guide on ablations: its files are written out, its commands run in order, and what it says of both is so."""

import re
import shlex
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import typer

from unseg_bench.cli.main import app
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.manager import Plugins
from unseg_bench.plugins.recipes import MethodsPart, StudyPart, SweepPart

GUIDE = (Path(__file__).resolve().parents[1] / "docs" / "ablations.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture
def folder(tmp_path):
    """The guide's files, and ten patients in small as `data/<id>/flair.nii.gz` and `seg.nii.gz`."""
    for name, source in FILES.items():
        (tmp_path / name).write_text(source)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 28, 20)), indexing="ij")
    brain = sum(axis**2 for axis in grid) < 0.9
    for number in range(10):
        rng = np.random.default_rng(number)
        tumour = sum((axis - 0.3) ** 2 for axis in grid) < 0.06 + 0.01 * number
        image = brain * (100 + 10 * rng.normal(size=brain.shape) + 60 * tumour)
        own = tmp_path / "data" / f"p{number:02d}"
        own.mkdir(parents=True)
        for name, array in (("flair", image.astype(np.float32)), ("seg", (tumour & brain).astype(np.uint8))):
            nib.save(nib.Nifti1Image(array, np.diag([-4.0, -4, 4, 1])), own / f"{name}.nii.gz")
    return tmp_path


def ubench(folder, command):
    """Run a command as it stands in the guide; `--data DIR` is the small cohort."""
    program, *words = shlex.split(command)
    assert program == "ubench"
    data = ["--data", str(folder / "data"), "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz"]
    at = words.index("--data") if "--data" in words else None
    arguments = words if at is None else [*words[:at], *data, *words[at + 2 :], "--device", "cpu"]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ubench")), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_its_commands_work_as_they_stand(folder):
    said = {command: ubench(folder, command) for command in COMMANDS}
    assert len(said) == 8
    methods, dry, study, oracles, curve, two, known, paper = said.values()
    assert "study steps: What each step brings" in methods
    assert re.search(r"rings +level +0 +2 +\?", dry)
    rows = ["lower level", "all components", "Ours"]
    lines = study.splitlines()
    places = [next(i for i, line in enumerate(lines) if line.startswith(row)) for row in rows]
    assert places == sorted(places)
    assert "Mean difference to 'Ours'" in study
    assert "all components" in (folder / "steps.md").read_text()
    assert re.search(r"^true regions +no: 7 masks ", oracles, re.MULTILINE)
    assert re.search(r"^Ours +(yes|not sealed)", oracles, re.MULTILINE)
    assert "level.quantile=0.85" in curve
    assert "level.quantile" in (folder / "curve.svg").read_text()
    assert "rings over largest" in two
    assert re.search(r"rings +level +0 +1 +0\.\d s", known), "an estimate from the study before, one stage for all"
    assert "Table 2: what each step of CLISC adds" in paper
    assert paper.splitlines()[-1] == "phantom figures are no evidence about the real methods"


@pytest.mark.parametrize("file", [name for name in FILES if name != "recipe.py"])
def test_the_methods_pass_the_checks(folder, file):
    results = check_method(Plugins().load_file(folder / file))
    assert [result for result in results if not result.passed] == []


def test_the_recipe_registers_and_names_what_the_method_has(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    plugins = Plugins()
    plugins.load_entry_points([EntryPoint("recipe", "recipe", "unseg_bench")])
    assert plugins.broken == []
    kinds = [type(part) for part in plugins.recipes["rings-paper"].parts]
    assert kinds == [MethodsPart, StudyPart, SweepPart]
    rings = plugins.load_file(folder / "rings.py")
    assert set(rings.studies) == {"steps"}


def test_every_option_is_one_of_the_commands_in_the_guide():
    commands = typer.main.get_command(app).commands
    names = {command.split()[1] for command in COMMANDS} | {"run"}
    known = {option for name in names for param in commands[name].params for option in param.opts}
    wanted = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", GUIDE))
    assert len(wanted) > 7
    assert wanted <= known
