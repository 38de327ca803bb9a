"""Precedence preset < file < --set, values from files, and one clear line for whatever is wrong."""

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest

from unseg_bench.errors import SettingsError
from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.plugins.method_facts import flatten_options
from unseg_bench.run.asked import parse_assignments
from unseg_bench.run.settings import (
    is_option_of,
    make_settings,
    option_names,
    read_settings_file,
    refuse_unknown,
    resolve_method,
)


class Inner(MethodOptions):
    alpha: float = 1.0
    beta: int = 2


class Outer(MethodOptions):
    inner: Inner = Inner()
    captions: tuple[str, ...] = ("normal", "tumour")
    steps: int = 10


class One(Method):
    name = "one"
    Options = Outer
    presets: ClassVar = {"demo": {"steps": 3, "inner.alpha": 5}, "paper": {"inner": {"alpha": 7, "beta": 8}}}

    def segment(self, volume, context):
        return volume.empty_mask()


class Two(One):
    name = "two"
    presets: ClassVar = {"paper": {"steps": 99}}


def resolve(values=None, preset=None, methods=None, default="demo"):
    methods = methods or {"one": One}
    settings = make_settings({"methods": list(methods), "preset": preset, "set": values or {}})
    found = {written: resolve_method(written, method, settings, default) for written, method in methods.items()}
    known = {written: option_names(method.Options) for written, method in methods.items()}
    called = {written: {written, method.name} for written, method in methods.items()}
    used = {name for name in settings.set for one in methods if is_option_of(name, called[one], known[one])}
    refuse_unknown(settings, used, {method.name: known[written] for written, method in methods.items()})
    return {written: SimpleNamespace(preset=preset, options=own) for written, (preset, own) in found.items()}


def options(**more):
    return resolve(**more)["one"].options


def test_preset_then_set():
    assert options() == Outer(steps=3, inner=Inner(alpha=5))
    assert options(preset="paper") == Outer(inner=Inner(alpha=7, beta=8))
    assert options(values={"inner.alpha": 9}) == Outer(steps=3, inner=Inner(alpha=9))
    assert options(values={"inner.alpha": 9}, preset="paper") == Outer(inner=Inner(alpha=9, beta=8))


def test_a_group_given_whole_is_merged_into_the_presets():
    assert options(values={"inner": {"beta": 4}}) == Outer(steps=3, inner=Inner(alpha=5, beta=4))


def test_default_preset_is_the_data_sets_where_the_method_has_it():
    assert resolve(default="paper")["one"].preset == "paper"
    assert resolve(default="demo", methods={"two": Two})["two"].preset == "default"


def test_one_of_several_methods_can_be_meant():
    both = resolve({"one:steps": 5}, methods={"one": One, "two": Two})
    assert (both["one"].options.steps, both["two"].options.steps) == (5, 10)
    both = resolve({"steps": 6}, methods={"one": One, "two": Two})
    assert (both["one"].options.steps, both["two"].options.steps) == (6, 6)


def test_hyphens_in_names_of_options_are_underscores():
    class Spaced(One):
        name = "spa-ced"
        presets: ClassVar = {}

        class Options(MethodOptions):
            min_px: int = 1

    for name in ("min-px", "min_px", "spa-ced:min-px"):
        assert resolve({name: 3}, methods={"spa-ced": Spaced})["spa-ced"].options.min_px == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step": 1}, r"--set step: one has no such option\. Did you mean 'steps'\?"),
        ({"inner.alfa": 1}, r"Did you mean 'inner\.alpha'\?"),
        ({"steps.more": 1}, r"--set steps\.more: one has no such option"),
        ({"two:steps": 1}, "has no such option"),
        ({"steps": "many"}, "one: option 'steps': .*integer.*'many'"),
        ({"inner": {"gamma": 1}}, "unknown option 'inner.gamma'"),
        ({"inner": 3}, "one: option 'inner'"),
    ],
)
def test_wrong_options_get_one_clear_line(values, message):
    with pytest.raises(SettingsError, match=message) as caught:
        resolve(values)
    assert "\n" not in str(caught.value)


def test_unknown_preset_names_the_nearest():
    with pytest.raises(SettingsError, match=r"one has no preset 'papr'\. Did you mean 'paper'"):
        resolve(preset="papr")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("steps=3", {"steps": 3}),
        ("inner.alpha=0.5", {"inner.alpha": 0.5}),
        ("captions=[a, b c]", {"captions": ["a", "b c"]}),
        ("flag=true", {"flag": True}),
        ("name=", {"name": ""}),
        ("path=a=b", {"path": "a=b"}),
        ("none=null", {"none": None}),
        (" steps = 3", {"steps": 3}),
        ("rate=1e-3", {"rate": 0.001}),
        ("split=7:1:2", {"split": "7:1:2"}),
        ("name=on", {"name": "on"}),
        ("case=010", {"case": "010"}),
    ],
)
def test_assignments_are_read_as_yaml(text, value):
    assert parse_assignments([text]) == value


@pytest.mark.parametrize("text", ["steps", "=3", " =3", "a=[1, 2", "a={"])
def test_malformed_assignments_are_refused(text):
    with pytest.raises(SettingsError, match="--set"):
        parse_assignments([text])


def test_files_of_three_kinds_say_the_same(tmp_path):
    expected = {"methods": ["one"], "seeds": [0, 1], "set": {"inner.alpha": 3}}
    (tmp_path / "a.yaml").write_text("methods: [one]\nseeds: [0, 1]\nset: {inner.alpha: 3}\n")
    (tmp_path / "a.toml").write_text('methods = ["one"]\nseeds = [0, 1]\n[set]\n"inner.alpha" = 3\n')
    (tmp_path / "a.json").write_text(json.dumps(expected))
    (tmp_path / "run.json").write_text(json.dumps({"format": 1, "settings": expected}))
    for name in ("a.yaml", "a.toml", "a.json", "run.json"):
        assert read_settings_file(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "methods: [one", "not readable as yaml"),
        ("a.toml", "methods = [", "not readable as toml"),
        ("a.yaml", "- one\n- two\n", "expected names and values at the top"),
        ("a.yaml", "method: [one]\n", "unknown name 'method'. Did you mean 'methods'"),
        ("a.yaml", b"\xff\xfe\x00", "not readable"),
        ("a.yaml", "", "expected names and values"),
    ],
)
def test_wrong_files_are_named(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=message) as caught:
        read_settings_file(path)
    assert str(path) in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match="no such settings file"):
        read_settings_file(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "methods"),
        ({"methods": []}, "methods"),
        ({"methods": ["one"], "limit": 0}, "limit"),
        ({"methods": ["one"], "part": "tests"}, "part"),
        ({"methods": ["one"], "sed": 1}, r"unknown option 'sed'\. Did you mean 'se"),
        ({"methods": ["one"], "seeds": ["x"]}, "seeds"),
    ],
)
def test_wrong_settings_get_one_clear_line(values, message):
    with pytest.raises(SettingsError, match=message) as caught:
        make_settings(values)
    assert "\n" not in str(caught.value)


def test_flat_options_are_all_options_and_make_the_same_ones():
    given = Outer(inner=Inner(alpha=3), captions=("x",))
    flat = flatten_options(given)
    assert list(flat) == option_names(Outer)
    json.dumps(flat)
    assert options(values=flat, default="default") == given


def test_a_typing_error_is_answered_before_a_method_s_code_is_loaded(tmp_path):
    code = (
        "import sys\n"
        "import unseg_bench.api as api\n"
        "from unseg_bench.errors import SettingsError\n"
        "try:\n"
        "    api.plan(api.settings('clisc', options={'unet.stepz': 3}))\n"
        "except SettingsError as error:\n"
        "    assert \"Did you mean 'unet.steps'\" in str(error), error\n"
        "    assert 'torch' not in sys.modules\n"
        "    print('answered')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout == "answered\n", done.stderr
