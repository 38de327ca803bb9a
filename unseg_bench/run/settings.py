"""Settings of a call of `ubench run`: preset < file < `--set a.b=c`, checked before anything is computed."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unseg_bench.data.splits import Part
from unseg_bench.errors import SettingsError
from unseg_bench.plugins.dataset import Dataset, DatasetOptions
from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.plugins.presets import assign


class _Yaml(yaml.SafeLoader):
    """YAML with numbers and booleans as JSON has them: `7:1:2` and `on` are text, not 25262 and True."""


_Yaml.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in {"tag:yaml.org,2002:" + kind for kind in ("int", "float", "bool")}]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(true|false)$"), list("tf"))
_Yaml.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def _read_yaml(text: str) -> object:
    loader = _Yaml(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class RunSettings(BaseModel):
    """Everything that `ubench run` takes, under the names that a settings file uses.

    `set` holds options of methods by dotted name (`amda.alpha`, or `clisc:amda.alpha` for one method of several) and
    `dataset_options` those of the data set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    methods: tuple[str, ...] = Field(min_length=1)
    dataset: str = "phantom"
    dataset_options: dict[str, Any] = {}
    preset: str | None = None
    set: dict[str, Any] = {}
    seeds: tuple[int, ...] = (0,)
    device: str = "auto"
    part: Part = "test"
    limit: int | None = Field(default=None, ge=1)
    offline: bool = False


class Resolved(BaseModel):
    """A method with its checked options and the preset that they started from."""

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    method: str
    preset: str
    options: MethodOptions


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a YAML, TOML (.toml) or JSON file with the names of RunSettings; a run.json works too.

    Raises SettingsError naming the file, the unknown name and the nearest known one.
    """
    if not path.is_file():
        raise SettingsError(f"{path}: no such settings file")
    try:
        text = path.read_text(encoding="utf-8")
        value: object = tomllib.loads(text) if path.suffix == ".toml" else _read_yaml(text)
    except (yaml.YAMLError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path}: not readable as {path.suffix.lstrip('.') or 'YAML'}: {_one_line(error)}"
        ) from error
    if isinstance(value, dict) and "settings" in value and "methods" not in value:
        value = cast("dict[str, Any]", value)["settings"]
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: expected names and values at the top, such as 'methods: [clisc]'")
    settings = cast("dict[str, Any]", value)
    for name in settings:
        if name not in RunSettings.model_fields:
            raise SettingsError(f"{path}: unknown name '{name}'.{did_you_mean(str(name), RunSettings.model_fields)}")
    return settings


def make_settings(values: Mapping[str, Any]) -> RunSettings:
    """Check the values of a call; raises SettingsError naming the option and what it expects."""
    try:
        return RunSettings.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError(_explain(error, RunSettings)) from error


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Turn `["amda.alpha=30", "clip.captions=[...]"]` into names and values; values are read as YAML."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f"--set {assignment}: expected name=value, e.g. --set amda.alpha=30")
        try:
            values[name.strip()] = _read_yaml(text) if text.strip() else ""
        except yaml.YAMLError as error:
            raise SettingsError(f"--set {name}: the value {text!r} is not readable: {_one_line(error)}") from error
    return values


def resolve_methods(
    methods: Mapping[str, type[Method]], settings: RunSettings, default_preset: str
) -> dict[str, Resolved]:
    """Give each method its options: its preset, then the `set` values that it has; refuses names that no method has.

    `methods` maps what the user wrote to classes. The data set's default preset is used where the method has it.
    """
    used: set[str] = set()
    resolved: dict[str, Resolved] = {}
    for written, method in methods.items():
        preset = _preset(method, settings.preset, default_preset)
        values: dict[str, Any] = {}
        for name, value in method.presets.get(preset, {}).items():
            assign(values, name, value)
        for name, value in settings.set.items():
            target, colon, own = name.rpartition(":")
            if (colon and target not in {method.name, written}) or not _has(method.Options, own):
                continue
            assign(values, own, value)
            used.add(name)
        resolved[written] = Resolved(method=method.name, preset=preset, options=_validate(method, values))
    for name in settings.set:
        if name not in used:
            raise SettingsError(_unknown_option(name, list(methods.values())))
    return resolved


def make_dataset(dataset: type[Dataset], options: Mapping[str, Any]) -> Dataset:
    """Open a data set with its options; raises SettingsError for the options, DataError for the data."""
    for name in options:
        if name not in dataset.Options.model_fields:
            known = dataset.Options.model_fields
            raise SettingsError(f"data set '{dataset.name}' has no option '{name}'.{did_you_mean(name, known)}")
    try:
        checked: DatasetOptions = dataset.Options.model_validate(dict(options))
    except ValidationError as error:
        raise SettingsError(f"data set '{dataset.name}': {_explain(error, dataset.Options)}") from error
    return dataset(checked)


def option_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all options of a model, groups opened."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += option_names(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def flatten_options(options: BaseModel) -> dict[str, Any]:
    """Return all options of a method as dotted names and JSON values, ready to be given again as `set`."""
    flat: dict[str, Any] = {}
    for name, value in options:
        if isinstance(value, BaseModel):
            flat |= {f"{name}.{inner}": item for inner, item in flatten_options(value).items()}
        else:
            flat[name] = options.model_dump(mode="json", include={name})[name]
    return flat


def _preset(method: type[Method], asked: str | None, default: str) -> str:
    if not method.presets:
        return "default"
    if asked is None:
        return default if default in method.presets else "default"
    if asked not in method.presets:
        raise SettingsError(f"{method.name} has no preset '{asked}'.{did_you_mean(asked, method.presets)}")
    return asked


def _has(model: type[BaseModel], dotted: str) -> bool:
    head, _, rest = dotted.partition(".")
    field = model.model_fields.get(head)
    if field is None:
        return False
    inner = field.annotation
    group = isinstance(inner, type) and issubclass(inner, BaseModel)
    return not rest if not group else not rest or _has(cast("type[BaseModel]", inner), rest)


def _validate(method: type[Method], values: Mapping[str, Any]) -> MethodOptions:
    try:
        return method.Options.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError(f"{method.name}: {_explain(error, method.Options)}") from error


def _unknown_option(name: str, methods: Sequence[type[Method]]) -> str:
    known = [option for method in methods for option in option_names(method.Options)]
    who = " and ".join(sorted({method.name for method in methods}))
    return f"--set {name}: {who} has no such option.{did_you_mean(name.rpartition(':')[2], known)}"


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown option '{where}'.{did_you_mean(where, option_names(model))}"
    given = f", not {first['input']!r}" if first["type"] != "missing" else ""
    return f"option '{where}': {first['msg'][0].lower()}{first['msg'][1:]}{given}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
