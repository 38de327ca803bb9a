"""What maintainers are told is so: tasks, picture, citation, hooks."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

import unseg_bench

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == unseg_bench.__version__
    assert citation["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_the_picture_of_the_architecture_is_todays():
    code = "import runpy, sys; sys.stdout.write(runpy.run_path(sys.argv[1])['draw']())"
    done = subprocess.run(
        [sys.executable, "-c", code, ROOT / "scripts" / "architecture.py"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == (ROOT / "docs" / "pictures" / "architecture.svg").read_text(), "make docs"


def test_tasks_and_hooks_are_those_of_ci():
    makefile, ci = (ROOT / "Makefile").read_text(), (ROOT / ".ci" / "run").read_text()
    readme = (ROOT / "README.md").read_text()
    said = set(re.findall(r"^make (\w+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert said == set(re.findall(r"^(\w+):  ##", makefile, re.MULTILINE))
    commands = re.findall(r"^\t\$\(BIN\)/(.*)$", makefile, re.MULTILINE)
    for command in commands[:4]:
        assert command.partition(" ")[0] in ci
    assert ".venv-test/bin/" + commands[4] in readme
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    for hook in hooks:
        assert hook["entry"].removeprefix(".venv-test/bin/").partition(" ")[0] in makefile


def test_files_that_the_architecture_names_are_there():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", text)
    assert len(named) > 15
    missing = [name for name in named if not (ROOT / "unseg_bench" / name).exists() and not (ROOT / name).exists()]
    assert missing == []
