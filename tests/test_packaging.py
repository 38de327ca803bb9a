"""The built wheel: all that belongs in it, nothing beside it, and it works without the sources."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"unseg_bench": "unseg_bench", "methods": "unseg_bench_methods", "datasets": "unseg_bench_datasets"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build from a copy, so that the checkout stays as it is, with the setuptools that is installed."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(copy / "dist"), str(copy)]
    subprocess.run(command, check=True, timeout=240, capture_output=True)
    (path,) = (copy / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel's content in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(installed, code):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=installed.parent, env=environment, check=False, timeout=120, capture_output=True, text=True
    )


def test_nothing_else_lands_at_the_top(installed):
    names = {path.name for path in installed.iterdir()}
    assert {name for name in names if not name.endswith(".dist-info")} == set(FOLDERS.values())


def test_every_file_of_the_packages_is_in_the_wheel(installed):
    for folder, package in FOLDERS.items():
        # Compiled caches (of Python and numba) are made where the code runs.
        expected = {
            path.relative_to(ROOT / folder)
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and path.parent.name != "__pycache__"
        }
        found = {path.relative_to(installed / package) for path in (installed / package).rglob("*") if path.is_file()}
        assert found == expected


def test_licence_and_script_are_in_the_wheel(installed):
    (information,) = installed.glob("*.dist-info")
    assert (information / "licenses" / "LICENSE").is_file()
    assert "ubench = unseg_bench.cli.main:main" in (information / "entry_points.txt").read_text()
    assert "License-Expression: Apache-2.0" in (information / "METADATA").read_text()


def test_the_installed_packages_import_without_the_sources(installed):
    code = """
import unseg_bench, unseg_bench_datasets, unseg_bench_methods
for package in (unseg_bench, unseg_bench_methods, unseg_bench_datasets):
    print(package.__file__)
"""
    done = python(installed, code)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(installed)) for line in done.stdout.split())


def test_the_installed_command_lists_all_methods(installed):
    code = "import sys; from unseg_bench.cli.main import main; sys.exit(main(['methods']))"
    done = python(installed, code)
    assert done.returncode == 0, done.stderr
    for name in ("clisc", "threshold", "supervised-unet"):
        assert name in done.stdout
