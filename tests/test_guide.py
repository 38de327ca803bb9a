"""The guide for writing a method: every file in it is written out, imported, checked and run as a reader would."""

import re
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.plugins import hookspecs
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.manager import Plugins
from unseg_bench.run.session.seal import kernel_obstacle

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "writing-a-method.md"
BLOCKS = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
METHODS = [name for name, source in BLOCKS if re.search(r"\(Method(\[\w+\])?\):", source)]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """All files of the guide in one folder, which is the current one."""
    for name, source in BLOCKS:
        (tmp_path / name).write_text(source)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cohort(tmp_path):
    """Ten patients in small: <id>/flair.nii.gz and <id>/seg.nii.gz."""
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 28, 20)), indexing="ij")
    brain = sum(axis**2 for axis in grid) < 0.9
    for number in range(10):
        rng = np.random.default_rng(number)
        tumour = sum((axis - 0.3) ** 2 for axis in grid) < 0.06 + 0.01 * number
        image = brain * (100 + 10 * rng.normal(size=brain.shape) + 60 * tumour)
        folder = tmp_path / "data" / f"p{number:02d}"
        folder.mkdir(parents=True)
        for name, array in (("flair", image.astype(np.float32)), ("seg", (tumour & brain).astype(np.uint8))):
            nib.save(nib.Nifti1Image(array, np.diag([-4.0, -4, 4, 1])), folder / f"{name}.nii.gz")
    return tmp_path / "data"


def ubench(*arguments):
    command = [str(Path(sys.executable).with_name("ubench")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_the_guide_has_eight_methods_and_every_python_block_has_a_file_name():
    names = ("bright", "smooth", "mixture", "tuned", "maybe", "told", "outlier", "sure")
    assert [f"{name}.py" for name in names] == METHODS
    assert GUIDE.read_text().count("```python") == len(BLOCKS)


@pytest.mark.parametrize("name", METHODS)
def test_each_method_passes_the_conformance_kit(files, name):
    results = check_method(Plugins().load_file(Path(name)))
    assert [result for result in results if not result.passed] == []


def test_its_table_of_checks_is_the_kits_own(files):
    names = [result.name for result in check_method(Plugins().load_file(Path("bright.py")))]
    section = GUIDE.read_text().partition("## What `ubench check` tries")[2].partition("The same from a test")[0]
    assert re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE)[1:] == names


def test_the_test_in_the_guide_passes(files):
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "test_bright.py"], cwd=files, check=False, timeout=120)
    assert done.returncode == 0


def test_hooks_of_the_guide_are_all_there_are_and_register(files, monkeypatch):
    from importlib.metadata import EntryPoint

    monkeypatch.syspath_prepend(files)
    plugins = Plugins()
    plugins.load_entry_points([EntryPoint("bright", "hooks", "unseg_bench")])
    assert plugins.broken == []
    assert set(plugins.methods) == {"bright"}
    for hook in (name for name in vars(hookspecs) if name.startswith("ubench_")):
        assert f"def {hook}(" in GUIDE.read_text()


@pytest.mark.slow
def test_check_run_and_compare_from_the_command_line(files, cohort):
    for name in METHODS:
        checked = ubench("check", f"./{name}")
        assert checked.returncode == 0, checked.stdout + checked.stderr
    data = ["--dataset", "folder", "--data", str(cohort), "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz"]
    ran = ubench("run", *(f"./{name}" for name in METHODS), "threshold", *data, "--device", "cpu")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    table = ubench("compare", "--by-size")
    assert table.returncode == 0, table.stdout + table.stderr
    for name in ("bright", "smooth", "mixture", "tuned", "maybe", "told", "outlier", "sure", "threshold"):
        assert name in table.stdout


@pytest.mark.slow
@pytest.mark.skipif(kernel_obstacle() is not None, reason="a method's file is explained under the seal only")
def test_tables_and_pictures_from_the_command_line(files, cohort):
    data = ["--data", str(cohort), "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz"]
    ran = ubench("run", "./told.py", *data, "--device", "cpu")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    table = [line.split()[0] for line in ubench("show", "told", "--table", "levels").stdout.splitlines()]
    assert table[0] == "case"
    assert sorted(table[1:]) == sorted(set(table[1:]) & {f"p{number:02d}" for number in range(10)})
    assert len(table) == 1 + 7
    shown = ubench("show", "told", "--case", "p02")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    names = ["1-slice.png", "2-brightness.png", "3-above-the-level.png", "4-largest-piece.png"]
    assert [Path(line).name for line in shown.stdout.splitlines()] == names
    assert all(Path(line).is_file() for line in shown.stdout.splitlines())


def test_cases_to_look_at_from_the_command_line(files, cohort):
    data = ["--data", str(cohort), "--image", "*/flair.nii.gz", "--split", "all-test"]
    ran = ubench("run", "./sure.py", *data, "--device", "cpu")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    table = [line.split() for line in ubench("show", "sure", "--table", "confidence").stdout.splitlines()]
    assert table[0] == ["case", "confidence", "bright_voxels", "look"]
    look = [row[0] for row in table[1:] if row[-1] == "true"]
    assert len(table) == 1 + 10
    said = next(line for line in ran.stdout.splitlines() if "confidence is below 0.60" in line)
    assert (said.partition(": ")[2].split(", ") == look) if look else ("in none of 10 cases" in said)


@pytest.mark.slow
def test_maps_and_thresholds_from_the_command_line(files, cohort):
    data = ["--data", str(cohort), "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz"]
    ran = ubench("run", "./outlier.py", *data, "--device", "cpu", "--keep-maps")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    shown = ubench("thresholds", "outlier", "--output", "curve.svg")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert [line.split()[0] for line in shown.stdout.splitlines()[2:5]] == ["q0.95", "q0.98", "q0.99"]
    assert (files / "curve.svg").is_file()
    (run,) = (files / "runs" / "folder").iterdir()
    assert len(list((run / "maps").iterdir())) == len(list((run / "predictions").iterdir()))
