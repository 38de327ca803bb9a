"""Rules of the house that no linter knows."""

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

import unseg_bench
from unseg_bench import errors
from unseg_bench.plugins import hookspecs

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {"unseg_bench": "unseg_bench", "methods": "unseg_bench_methods", "datasets": "unseg_bench_datasets"}
SOURCES = sorted(path for folder in PACKAGES for path in (ROOT / folder).rglob("*.py"))
HEAVY = {
    "torch",
    "torchvision",
    "monai",
    "open_clip",
    "segment_anything",
    "nibabel",
    "nilearn",
    "scipy",
    "numba",
    "sklearn",
    "pandas",
    "matplotlib",
}


def name_of(path):
    return str(path.relative_to(ROOT))


def module_of(path):
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([PACKAGES[folder], *rest]).removesuffix(".__init__")


def loaded_by(statement):
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_the_package_loads_nothing_but_the_standard_library():
    others = loaded_by("import unseg_bench") - loaded_by("pass") - set(sys.stdlib_module_names)
    assert others == {"unseg_bench"}


LIGHT = [
    "from unseg_bench import *",
    "import unseg_bench.blocks.clip, unseg_bench.blocks.miniature, unseg_bench.blocks.phantom",
    "from unseg_bench.blocks.sam import options; from unseg_bench.blocks.unet import options",
    "from unseg_bench.blocks.constrained_vae import options; from unseg_bench.blocks.simulated_tumours import options",
    "import unseg_bench.plugins.manager as m; m.Plugins()",
    "import unseg_bench.cli.main",
    "from unseg_bench.plugins.manager import load_plugins; assert not load_plugins().broken",
]


@pytest.mark.parametrize("statement", LIGHT)
def test_nothing_heavy_is_loaded(statement):
    assert loaded_by(statement) & HEAVY == set()


def test_public_names_exist_and_are_documented():
    assert sorted(unseg_bench.__all__) == sorted([*unseg_bench._HOME_OF, *unseg_bench._CALLABLE])
    assert set(unseg_bench.__all__) <= set(dir(unseg_bench))
    for name in unseg_bench.__all__:
        value = getattr(unseg_bench, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="no attribute 'Metod'"):
        unseg_bench.Metod  # noqa: B018


def test_every_error_is_public_and_ends_with_one_or_two():
    tree = {value for value in vars(errors).values() if inspect.isclass(value)}
    assert {value.__name__ for value in tree} <= set(unseg_bench.__all__)
    assert all(issubclass(value, errors.UbenchError) and value.exit_code in {1, 2} for value in tree)


def test_every_hook_is_documented_typed_and_in_the_guide():
    guide = (ROOT / "docs" / "writing-a-method.md").read_text()
    hooks = {name: value for name, value in vars(hookspecs).items() if name.startswith("ubench_")}
    assert set(hooks) == {f"ubench_{role}" for role in ("methods", "datasets", "metrics", "recipes", "commands")}
    for name, hook in hooks.items():
        assert inspect.getdoc(hook), name
        assert "return" in inspect.get_annotations(hook), name
        assert name in guide


def public_definitions(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module):
            yield "the module", node
        if isinstance(node, ast.ClassDef | ast.Module):
            for inner in node.body:
                if isinstance(inner, ast.ClassDef | ast.FunctionDef) and not inner.name.startswith("_"):
                    yield inner.name, inner


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_source_files_are_small_and_documented(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= 400
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{node.name} has more than 60 lines"
    overloads_aside = [
        name
        for name, node in public_definitions(tree)
        if not ast.get_docstring(node)
        and not any("overload" in ast.unparse(d) for d in getattr(node, "decorator_list", []))
    ]
    assert overloads_aside == []
    assert not re.search(r"\bTODO\b|\bFIXME\b|\bXXX\b", text)


def test_setuptools_list_of_packages_is_complete():
    found = {module_of(path) for path in SOURCES if path.name == "__init__.py"}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found
    missing = [name_of(path) for path in SOURCES if not (path.parent / "__init__.py").is_file()]
    assert missing == []


def test_every_plugin_is_an_entry_point():
    found = {
        module_of(path) for path in SOURCES if re.search(r"^@hookimpl\ndef ubench_", path.read_text(), re.MULTILINE)
    }
    assert set(PROJECT["project"]["entry-points"]["unseg_bench"].values()) == found


def test_constraints_pin_what_the_project_asks_for():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9a-z.]+", line) for line in lines)
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    asked = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["test"]
    names = {re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9_.-]+", line)[0]).lower() for line in asked}
    assert names <= pinned
    assert {"torch==2.14.1", "torchvision==0.29.1"} <= set(lines)


def test_no_imports_go_in_a_circle_those_for_types_included():
    graph = grimp.build_graph("unseg_bench", "unseg_bench_methods", "unseg_bench_datasets", cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while True:
        imported = {one for found in left.values() for one in found}
        kept = {module: found & left.keys() for module, found in left.items() if found & left.keys()}
        kept = {module: found for module, found in kept.items() if module in imported}
        if kept == left:
            break
        left = kept
    assert left == {}
