"""Whatever stands in a settings file or after `--set`: it is read, or one SettingsError says what is wrong."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from unseg_bench.errors import SettingsError, UbenchError
from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.plugins.method_facts import flatten_options
from unseg_bench.run.asked import parse_assignments, settings_of
from unseg_bench.run.settings import (
    RunSettings,
    is_option_of,
    make_settings,
    option_names,
    read_settings_file,
    refuse_unknown,
    resolve_method,
)

FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GOOD = """# a settings file
methods: [clisc, threshold]
dataset: folder
dataset_options: {data: images, image: '*/flair.nii.gz', split: 7:1:2}
preset: paper
set: {amda.alpha: 20, 'clisc:unet.steps': 1e3, clip.captions: [a, "b c"]}
seeds: [0, 1, 2]
device: cpu
part: test
limit: 3
offline: true
"""
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([".nan", ".inf", "1e999", "2026-01-01", "0x1F", "<<", "*a", "&a", "!!python/none", "~", "="])
)
NAMES = st.sampled_from(["methods", "dataset", "set", "seeds", "limit", "part", "settings", "dataset_options", "x"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


class Inner(MethodOptions):
    alpha: float = Field(1.0, ge=0)
    name: str | None = None


class Options(MethodOptions):
    inner: Inner = Inner()
    steps: int = Field(3, ge=1)
    size: tuple[int, int] = (1, 2)


class One(Method):
    name = "one"
    Options = Options
    presets: ClassVar = {"paper": {"steps": 5}}

    def segment(self, volume, context):
        return volume.empty_mask()


def complaint(call: Callable[[], object]) -> str:
    """Return what a call that must not fail in any other way complains of; empty when it does not."""
    try:
        call()
    except UbenchError as error:
        return str(error) or "nothing"
    return ""


def resolve(chosen: RunSettings) -> None:
    """Check the options, and that what was taken can be written to run.json."""
    _, options = resolve_method("one", One, chosen, "paper")
    known = option_names(Options)
    refuse_unknown(chosen, {name for name in chosen.set if is_option_of(name, {"one"}, known)}, {"one": known})
    json.dumps({**chosen.model_dump(mode="json"), "set": flatten_options(options)}, allow_nan=False)


def use(path: Path) -> None:
    """Read the file as `ubench run --config` does."""
    said = complaint(lambda: resolve(settings_of([], config=path, dataset_options={}, set={"steps": 3})))
    assert "\n" not in said
    assert said != "nothing"


@pytest.mark.slow
@FUZZ
@given(st.binary(max_size=200), st.sampled_from([".yaml", ".toml", ".json"]))
@example(b"a: 1" + b"0" * 5000, ".yaml")
@example(b"a = 1" + b"0" * 5000, ".toml")
@example(b"[" * 5000, ".yaml")
@example(b"{" * 5000, ".json")
@example(b"a = " + b"[" * 5000, ".toml")
@example(b"? [a]\n: 1\n", ".yaml")
@example(b"? {a: 1}\n: 1\n", ".yaml")
@example(b"a: &a [*a]\n", ".yaml")
@example(b"&a {set: *a, methods: [one]}\n", ".yaml")
@example(b"methods: [one]\nset: {'steps': &a [*a]}\n", ".yaml")
@example(b"methods: [one]\nset: &a {'inner': *a}\n", ".yaml")
@example(b"methods: [one]\nset: [1, 2]\n", ".yaml")
@example(b"methods: [one]\ndataset_options: 7\n", ".yaml")
@example(b"methods: [one]\nseeds: [1" + b"0" * 400 + b"]\n", ".yaml")
@example(b"methods: [one]\nlimit: 1e400\n", ".yaml")
@example(b"methods: [one]\nset: {steps: .nan}\n", ".yaml")
@example(b"methods: [one]\nset: {inner.alpha: 1" + b"0" * 400 + b"}\n", ".yaml")
@example(b"methods: [one]\nset: {steps: 2001-02-30}\n", ".yaml")
@example(b"methods: [one]\nset: {inner: {alpha: {beta: 1}}, inner.alpha: 2}\n", ".yaml")
@example(b"methods: [one]\nset: {inner.alpha: 2, inner.alpha.beta: 2, '': 1}\n", ".yaml")
@example(b"methods: [one]\nset: {inner: 3, inner.alpha: 2}\n", ".yaml")
@example(b"methods: [one]\nset: {inner.alpha: 3, inner: {alpha: {beta: 2}}}\n", ".yaml")
@example(b'methods: [one]\nset: {inner.name: "\\ud800"}\n', ".json")
@example(b"methods = ['one']\nset = {steps = 2001-01-01, a = nan}\n", ".toml")
@example(b'{"a\\nb": 1}', ".json")
@example(b'{"\\ud800": 1}', ".json")
@example(b"settings: [1]\n", ".yaml")
@example(b"settings: {1: 2}\n", ".yaml")
@example(b"1: 2\n", ".yaml")
@example(b"methods: [one]\nset: {1: 2}\n", ".yaml")
@example(b"!!python/object/apply:os.system [false]", ".yaml")
@example(b"\xef\xbb\xbfmethods: [one]", ".toml")
@example(b"\x00", ".yaml")
@example(b"a: \xc2\x85\x0c", ".yaml")
def test_any_bytes(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"settings{suffix}"
    path.write_bytes(content)
    use(path)


@FUZZ
@given(VALUES, st.sampled_from([".yaml", ".json"]))
def test_any_values(tmp_path: Path, value: Any, suffix: str) -> None:
    path = tmp_path / f"settings{suffix}"
    text = json.dumps(value) if suffix == ".json" else yaml.safe_dump(value, allow_unicode=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    use(path)


@FUZZ
@given(st.dictionaries(st.sampled_from(sorted({*yaml.safe_load(GOOD), "methods"})), VALUES, max_size=4))
def test_known_names_with_any_values(tmp_path: Path, value: dict[str, Any]) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(yaml.safe_dump({"methods": ["one"], **value}).encode("utf-8", "surrogatepass"))
    use(path)


@FUZZ
@given(st.data())
def test_a_good_file_with_changes(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 6))
        content[place : place + length] = data.draw(st.binary(max_size=4) | st.sampled_from([b"[", b"{", b": ", b"-"]))
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    use(path)


@FUZZ
@given(st.text(max_size=20) | st.builds(lambda name, value: f"{name}={value}", NAMES, st.text(max_size=12)))
@example("steps=" + "9" * 5000)
@example("steps=" + "[" * 5000)
@example("steps=? [a]\n: b")
@example("inner={alpha: {}}")
@example(".=1")
@example("inner.=1")
@example("inner..alpha=1")
@example("steps={1: 2}")
@example("inner={1: 2}")
@example("steps=!!set {a}")
@example("steps=!!binary x")
@example("steps=!!timestamp x")
@example("steps=1e400")
def test_any_assignment(text: str) -> None:
    said = complaint(lambda: resolve(make_settings({"methods": ["one"], "set": parse_assignments([text])})))
    assert said != "nothing"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("inner.alpha=1e400", "inner.alpha: .* inf is no finite number"),
        ("steps=" + "9" * 5000, "steps: the value '9{80}...' is not readable: .*4300 digits"),
        ("steps=99999999999999999999.5", "option 'steps': .*integer"),
        ("steps=[[[", "steps: the value .* is not readable"),
        ("steps=" + "[" * 5000, "nested too deeply"),
        ("inner={1: 2}", "the name 1 is no text; put it into quotes"),
        ("steps=!!python/object/apply:os.system [exit]", "could not determine a constructor"),
        ("steps=&a [*a]", r"line 1: aliases \(\*a\) are not read; repeat the value"),
        ("inner.name=2026-01-01x", ""),
    ],
)
def test_what_is_said(assignment: str, message: str) -> None:
    said = complaint(lambda: resolve(make_settings({"methods": ["one"], "set": parse_assignments([assignment])})))
    assert re.search(message, said) if message else said == ""
    assert len(said) < 300


def test_dates_are_text_and_huge_numbers_are_numbers() -> None:
    values = parse_assignments(["inner.name=2026-01-01", "inner.alpha=1" + "0" * 300, "steps=1" + "0" * 30])
    resolve(make_settings({"methods": ["one"], "set": values}))
    assert values["inner.name"] == "2026-01-01"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such settings file"):
        read_settings_file(tmp_path)
