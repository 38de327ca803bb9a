"""Settings of a call of `ubench run`: preset < file < `--set a.b=c`, checked before anything is computed."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unseg_bench.data.splits import Part
from unseg_bench.errors import SettingsError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.plugins.options import option_fields
from unseg_bench.plugins.presets import assign, nested
from unseg_bench.run.values import read_values

_SHOWN = 80
Model = TypeVar("Model", bound=BaseModel)


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
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0,), min_length=1)
    device: str = "auto"
    part: Part = "test"
    limit: int | None = Field(default=None, ge=1)
    offline: bool = False
    deterministic: bool = False
    keep_maps: bool = False
    """Whether the maps that masks are cut from are written into the run's folder."""
    sealed: Literal["auto", "required", "off"] = "auto"
    """Whether methods work in a sealed process: where the kernel can, always, never."""


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a YAML, TOML (.toml) or JSON file with the names of RunSettings; a run.json works too.

    Raises SettingsError naming the file, the unknown name and the nearest known one.
    """
    if not path.is_file():
        raise SettingsError(f"{path}: no such settings file")
    try:
        value = read_values(path.read_text(encoding="utf-8"), "toml" if path.suffix == ".toml" else "yaml")
    except ValueError as error:
        raise SettingsError(f"{path}: not readable as {path.suffix.lstrip('.') or 'YAML'}: {error}") from error
    if isinstance(value, dict) and "settings" in value and "methods" not in value:
        value = cast("dict[str, Any]", value)["settings"]
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: expected names and values at the top, such as 'methods: [clisc]'")
    settings = cast("dict[str, Any]", value)
    for name in settings:
        if name not in RunSettings.model_fields:
            raise SettingsError(f"{path}: unknown name '{name}'.{did_you_mean(name, RunSettings.model_fields)}")
    for name in ("set", "dataset_options"):
        if not isinstance(settings.get(name, {}), dict):
            raise SettingsError(f"{path}: '{name}' must hold names and values, such as '{name}: {{name: value}}'")
    return settings


def make_settings(values: Mapping[str, Any]) -> RunSettings:
    """Check the values of a call; raises SettingsError naming the option and what it expects."""
    return _validated(RunSettings, values)


def resolve_method(
    written: str, method: type[Method], settings: RunSettings, default_preset: str
) -> tuple[str, MethodOptions]:
    """Return the preset of a method, and its checked options, which start from that; raises SettingsError."""
    preset = _preset(method, settings.preset, default_preset)
    known = option_names(method.Options)
    own = {name: value for name, value in settings.set.items() if is_option_of(name, {method.name, written}, known)}
    values = nested(method.presets.get(preset, {}))
    for name, value in own.items():
        assign(values, own_name(name), value)
    return preset, _validated(method.Options, values, f"{method.name}: ")


def refuse_unknown(settings: RunSettings, used: Collection[str], known: Mapping[str, Collection[str]]) -> None:
    """Raise SettingsError for a name in `set` that no method has; `known`: method -> names of its options."""
    for name in settings.set:
        if name not in used:
            options = [option for names in known.values() for option in names]
            who = " and ".join(sorted(known))
            hint = did_you_mean(name.rpartition(":")[2], options)
            raise SettingsError(f"--set {name}: {who} has no such option.{hint}")


def make_dataset(dataset: type[Dataset], options: Mapping[str, Any], *, allow_missing: bool = False) -> Dataset:
    """Open a data set with its options; raises SettingsError for the options, DataError for the data.

    `allow_missing`: open it without the files that it lacks, where it has the option of that name.
    """
    if allow_missing and "allow_missing" in dataset.Options.model_fields:
        options = {**options, "allow_missing": True}
    for name in options:
        if name not in dataset.Options.model_fields:
            known = dataset.Options.model_fields
            raise SettingsError(f"data set '{dataset.name}' has no option '{name}'.{did_you_mean(name, known)}")
    return dataset(_validated(dataset.Options, options, f"data set '{dataset.name}': "))


def option_names(model: type[BaseModel]) -> list[str]:
    """Return the dotted names of all options of a model, groups opened."""
    return [name for name, _ in option_fields(model)]


def usual_preset(presets: Collection[str], default_preset: str) -> str:
    """Return the preset of a method that nobody chose one for: the data set's, or 'default' where it lacks that."""
    return default_preset if default_preset in presets else "default"


def _preset(method: type[Method], asked: str | None, default: str) -> str:
    if not method.presets or asked is None:
        return usual_preset(method.presets, default)
    if asked not in method.presets:
        raise SettingsError(f"{method.name} has no preset '{asked}'.{did_you_mean(asked, method.presets)}")
    return asked


def is_option_of(name: str, called: Collection[str], known: Collection[str]) -> bool:
    """Whether a name in `set` is an option, or a group of options, of a method that is `called` so.

    `name` may begin with one method's name and a colon; `known`: the dotted names of its options.
    """
    target, colon, _ = name.rpartition(":")
    own = own_name(name)
    return (not colon or target in called) and any(one == own or one.startswith(f"{own}.") for one in known)


def own_name(name: str) -> str:
    """Return the option that a name in `set` means: `prompts-from` is written as on a command line."""
    return name.rpartition(":")[2].replace("-", "_")


def _validated(model: type[Model], values: Mapping[str, Any], whose: str = "") -> Model:
    """Return the values as a model; raises SettingsError, which begins with `whose` they are."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError(whose + _explain(error, model)) from error


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown option '{where}'.{did_you_mean(where, option_names(model))}"
    given = f", not {short(repr(first['input']))}" if first["type"] != "missing" else ""
    if first["type"] in ("tuple_type", "list_type"):
        return f"option '{where}' is a list, written as [1, 2]{given}"
    return f"option '{where}': {first['msg'][0].lower()}{first['msg'][1:]}{given}"


def short(text: str) -> str:
    """Return a text as an error shows it: its first 80 characters."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
