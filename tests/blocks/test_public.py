"""What of the blocks a plugin may import: docs/blocks.md says it, and the built-in plugins keep to it."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import unseg_bench

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = ROOT / "unseg_bench" / "blocks"
GUIDE = (ROOT / "docs" / "blocks.md").read_text()
PUBLIC = {
    f"unseg_bench.blocks.{module}": re.findall(r"`(\w+)`", names)
    for module, names in re.findall(r"^\| `([\w.]+)` \|.*\| (`[^|]+`) \|$", GUIDE, re.MULTILINE)
}
ALLOWED = {f"unseg_bench.{name}" for name in unseg_bench.__all__} | {
    f"{module}.{name}" for module, names in PUBLIC.items() for name in names
}
PLUGINS = sorted(path for folder in ("methods", "datasets") for path in (ROOT / folder).rglob("*.py"))


def imported_by(source):
    """Every name of unseg_bench that a plugin's source imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in getattr(node, "names", [])] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name for name in names if name.partition(".")[0] == "unseg_bench")


def test_the_list_is_sorted_and_every_name_on_it_exists():
    assert len(PUBLIC) == GUIDE.count("\n| `") - 1 > 30
    assert list(PUBLIC) == sorted(PUBLIC)
    for module, names in PUBLIC.items():
        assert names == sorted(names), module
        missing = [name for name in names if not hasattr(importlib.import_module(module), name)]
        assert missing == [], module


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_built_in_plugin_imports_what_a_stranger_may_import(path):
    assert set(imported_by(path.read_text())) <= ALLOWED


@pytest.mark.parametrize(
    "statement",
    [
        "from unseg_bench.data.cohort import Cohort",
        "def f():\n    from unseg_bench.blocks.training import _Checkpoint",
        "import unseg_bench.run.folder",
        "from unseg_bench.blocks.heap import held_heap",
    ],
)
def test_what_is_not_on_the_list_is_noticed(statement):
    assert not set(imported_by(statement)) <= ALLOWED


def test_packages_hold_no_code_so_that_a_stage_depends_on_the_modules_it_imports_alone():
    for path in BLOCKS.rglob("__init__.py"):
        assert len(ast.parse(path.read_text()).body) == 1, path
