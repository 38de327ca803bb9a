"""What docs/methods.md says of papers, codes and this program is written from facts, and the facts are so."""

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

from unseg_bench.plugins.manager import load_plugins
from unseg_bench.plugins.method_facts import flatten_options
from unseg_bench.plugins.presets import preset_options

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "method_facts.py"))
TOLD: dict[str, Any] = SCRIPT["read_facts"]()
FACTS = [(name, fact) for name, told in TOLD.items() for fact in told["fact"]]
METHODS = load_plugins().methods
PUBLISHED = ["clisc", "salip", "amcons", "gradcamcons", "implicit-field", "sim2real", "sam-prompts", "supervised-unet"]


def options_of(name: str, preset: str) -> dict[str, Any]:
    return flatten_options(preset_options(METHODS[name], preset))


def names_in(path: Path) -> set[str]:
    """Functions, classes and constants of a module, and what its classes have, as `Class.name`."""

    def of(body: list[ast.stmt], prefix: str) -> set[str]:
        found: set[str] = set()
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                found |= of(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.Assign):
                found |= {prefix + one.id for one in node.targets if isinstance(one, ast.Name)}
        return found

    return of(ast.parse(path.read_text(encoding="utf-8")).body, "")


def test_the_guide_has_the_facts_of_today():
    guide = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert SCRIPT["written"](guide) == guide, "make docs"
    assert SCRIPT["PLACE"].findall(guide)
    assert sorted(name for _, name, _ in SCRIPT["PLACE"].findall(guide)) == sorted(TOLD) == sorted(PUBLISHED)


@pytest.mark.parametrize(("name", "fact"), FACTS, ids=[f"{name}: {fact['step']}" for name, fact in FACTS])
def test_a_fact_is_so(name: str, fact: dict[str, Any]):
    presets = TOLD[name]["presets"]
    assert set(fact) <= {"step", "paper", "code", "options", "follows", "where", "note"}
    for number, preset in enumerate(presets):
        known = options_of(name, preset)
        for option, values in fact["options"].items():
            assert len(values) == len(presets)
            assert option in known
            stated = None if values[number] == "null" else values[number]
            assert known[option] == stated, f"{name}, preset {preset}: {option}"
    path, place = fact["where"].split(":")
    assert place in names_in(ROOT / path), fact["where"]


@pytest.mark.parametrize(("name", "fact"), FACTS, ids=[f"{name}: {fact['step']}" for name, fact in FACTS])
def test_whom_a_value_follows_has_said_something(name: str, fact: dict[str, Any]):
    assert len(fact["follows"]) == len(TOLD[name]["presets"])
    silent = ("", "Not said", "Not seen", "Not there")
    for follows in fact["follows"]:
        assert follows in ("paper", "code", "ours")
        assert follows != "paper" or fact["paper"] not in silent
        assert follows != "code" or fact["code"] not in silent[:3]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_option_in_which_the_authors_presets_differ_is_told(name: str):
    told = {option for fact in TOLD[name]["fact"] for option in fact["options"]}
    presets = [preset for preset in METHODS[name].presets if preset.startswith(("reference-code", "flair"))]
    assert set(presets) | {"paper"} == set(TOLD[name]["presets"])
    paper = options_of(name, "paper")
    for preset in presets:
        differing = {option for option, value in options_of(name, preset).items() if paper[option] != value}
        assert differing <= told
