"""The guide to methods: every method has its section, and the options, presets and label uses that it names are so."""

import re
from pathlib import Path

import pytest

from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import SettingsError
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.plugins.method_facts import flatten_options
from unseg_bench.run.asked import parse_assignments
from unseg_bench.run.settings import is_option_of, make_settings, option_names, resolve_method

GUIDE = (Path(__file__).resolve().parents[1] / "docs" / "methods.md").read_text(encoding="utf-8")
SECTIONS = {
    tuple(re.findall(r"`([^`]+)`", title)): body
    for title, body in re.findall(r"^## ([^\n]*`[^\n]*)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
}
BUILT_IN = {
    name: method
    for name, method in load_plugins().methods.items()
    if method.__module__.startswith("unseg_bench_methods")
}
OPTION = re.compile(r"`([a-z][\w.]*=[^`\s]+)`")
USES = [
    (names[0], option, level)
    for names, body in SECTIONS.items()
    for option, level in re.findall(r"^- `([^`]+)`.*; reads `([^`]+)`$", body, re.MULTILINE)
]


def rows(first_words):
    """The cells of the table whose heading begins so."""
    at = GUIDE.index(first_words)
    lines = GUIDE[at:].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def options_of(name, preset, options=()):
    settings = make_settings({"methods": [name], "preset": preset, "set": parse_assignments(options)})
    known = option_names(BUILT_IN[name].Options)
    assert all(is_option_of(one, {name}, known) for one in settings.set), f"{name} has no option of {options}"
    return resolve_method(name, BUILT_IN[name], settings, preset)[1]


def supervision(name, preset, options=()):
    return BUILT_IN[name](options_of(name, preset, options)).supervision


def allowed(name, preset, option):
    try:
        options_of(name, preset, [option])
    except SettingsError:
        return False
    return True


def test_every_method_has_one_section_and_one_row():
    assert sorted(name for names in SECTIONS for name in names) == sorted(BUILT_IN)
    compared = rows("| method | row in")
    assert sorted(cells[0].strip("`") for cells in compared) == sorted(BUILT_IN)


@pytest.mark.parametrize("cells", rows("| method | row in"), ids=lambda cells: cells[0].strip("`"))
def test_the_first_table_is_so(cells):
    name = cells[0].strip("`")
    assert cells[4] == ("yes" if supervision(name, "paper") is Supervision.NONE else "no")
    (preset,) = re.findall(r"--preset ([\w-]+)", cells[5])
    assert preset in BUILT_IN[name].presets


@pytest.mark.parametrize(("names", "body"), SECTIONS.items(), ids=lambda value: value[0] if len(value) < 9 else "")
def test_options_that_a_section_names_exist(names, body):
    """One that needs another option is allowed where the authors' preset has that."""
    presets = [preset for preset in ("paper", "reference-code") if preset in BUILT_IN[names[0]].presets]
    for option in OPTION.findall(body):
        assert any(allowed(names[0], preset, option) for preset in presets), option


@pytest.mark.parametrize(("names", "body"), SECTIONS.items(), ids=lambda value: value[0] if len(value) < 9 else "")
def test_presets_that_a_section_names_exist(names, body):
    named = set(re.findall(r"preset `([\w-]+)`", body))
    assert named <= set(BUILT_IN[names[0]].presets)


@pytest.mark.parametrize("name", [name for name, method in BUILT_IN.items() if set(method.presets) - {"paper", "demo"}])
def test_every_preset_says_what_it_takes_from_where(name):
    method = BUILT_IN[name]
    assert list(method.preset_sources) == list(method.presets)
    assert all(len(words) < 500 for words in method.preset_sources.values())


@pytest.mark.parametrize(("name", "option", "level"), USES)
def test_what_an_option_reads(name, option, level):
    assert supervision(name, "paper", [option]).value == level


@pytest.mark.parametrize("name", [name for name, method in BUILT_IN.items() if "reference-code" in method.presets])
def test_label_uses_of_the_authors_code_are_told(name):
    """Those told that 'reference-code' has switched on are all that it reads labels for."""
    theirs = flatten_options(options_of(name, "reference-code"))
    told = [
        option for other, option, _ in USES if other == name and parse_assignments([option]).items() <= theirs.items()
    ]
    assert supervision(name, "paper", told) == supervision(name, "reference-code")
    assert bool(told) == (supervision(name, "reference-code") is not Supervision.NONE)


@pytest.mark.parametrize("heading", ["| method | preset | learning", "| method | preset | minutes"])
def test_tables_of_cost_name_what_is_there(heading):
    for name, preset, *_ in rows(heading):
        assert preset.strip("`") in BUILT_IN[name.strip("`")].presets
