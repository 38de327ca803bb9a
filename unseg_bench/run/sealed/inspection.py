"""What the runner must know of a method, told by the method's class: here, or by a sealed process that imported it."""

import importlib
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import PluginError, SettingsError, UbenchError
from unseg_bench.plugins.manager import Plugins, file_of, module_name_of
from unseg_bench.plugins.method import Method
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.studies import Study
from unseg_bench.run.digests import code_digest
from unseg_bench.run.settings import (
    Resolved,
    RunSettings,
    flatten_options,
    option_names,
    resolve_method,
    usual_preset,
)


@dataclass(frozen=True, slots=True)
class MethodCard:
    """A method as the runner sees it, without its code. `where` is its class: file or None, module, class name.

    `options` are its checked options as JSON, `flat` the same by dotted name; `used` are the names in the settings'
    `set` that it has, `known` all names that it has; `differs` is what `differences` returns. `learns`: its `fit` is to
    be called; `looks_ahead`: it has an `expect`. `code`: digest of its code. `studies`: its ablations by name.
    """

    name: str
    floor: bool
    ceiling: bool
    supervision: Supervision
    learns: bool
    looks_ahead: bool
    preset: str
    options: dict[str, Any]
    flat: dict[str, Any]
    differs: dict[str, Any]
    used: tuple[str, ...]
    known: tuple[str, ...]
    code: str
    where: dict[str, Any]
    studies: dict[str, Study]


def make_card(written: str, method: type[Method], settings: RunSettings, default_preset: str) -> MethodCard:
    """Resolve a method's options and describe it; `written` is what the user called it. Raises SettingsError."""
    resolved, used = resolve_method(written, method, settings, default_preset)
    made = method(resolved.options)
    return MethodCard(
        name=method.name,
        floor=method.floor,
        ceiling=method.ceiling,
        supervision=Supervision(made.supervision),
        learns=made.learns,
        looks_ahead=method.expect is not Method.expect,
        preset=resolved.preset,
        options=resolved.options.model_dump(mode="json"),
        flat=flatten_options(resolved.options),
        differs=differences(method, resolved, used, default_preset),
        used=tuple(sorted(used)),
        known=tuple(option_names(method.Options)),
        code=code_digest(method.__module__),
        where=find_class(method),
        studies=dict(method.studies),
    )


def differences(method: type[Method], resolved: Resolved, used: Collection[str], default_preset: str) -> dict[str, Any]:
    """Return what a plain `ubench run METHOD` would have otherwise: 'preset' (None: the same) and 'options' by name.

    Options are told against their own preset's. A table says so beside the row's name. `used`: names that were set.
    """
    options = flatten_options(resolved.options)
    try:
        usual = flatten_options(preset_options(method, resolved.preset))
    except ValidationError:  # an option without a default: what was not set by name is as it always is
        names = tuple(f"{name.rpartition(':')[2].replace('-', '_')}." for name in used)
        usual = {name: value for name, value in options.items() if not f"{name}.".startswith(names)}
    return {
        "preset": resolved.preset if resolved.preset != usual_preset(method, default_preset) else None,
        "options": {name: value for name, value in options.items() if name not in usual or usual[name] != value},
    }


@contextmanager
def said_of(label: str) -> Generator[None]:
    """Name the row whose options are wrong in a SettingsError raised inside; '' is no row."""
    try:
        yield
    except SettingsError as error:
        raise (SettingsError(f"row '{label}': {error}") if label else error) from error


def find_class(method: type[Method]) -> dict[str, Any]:
    """Return where a method's class is, so that another process can import it."""
    file = file_of(method)
    return {"file": str(file) if file else None, "module": method.__module__, "class": method.__qualname__}


def where_of_file(path: Path) -> dict[str, Any]:
    """Return the same for a file that was not imported yet."""
    return {"file": str(path.resolve()), "module": module_name_of(path), "class": ""}


def load_method(where: dict[str, Any]) -> type[Method]:
    """Import the method's class: from a file, or by the names of its module and class; raises PluginError."""
    if where["file"]:
        return Plugins().load_file(Path(where["file"]))
    try:
        found: Any = importlib.import_module(where["module"])
        for name in where["class"].split("."):
            found = getattr(found, name)
    except UbenchError:
        raise
    except Exception as error:
        raise PluginError(f"{where['module']} could not be imported: {type(error).__name__}: {error}") from error
    return found


def inspect_class(method: type[Method], request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the runner's request for a card, as JSON."""
    settings = RunSettings.model_validate(request["settings"])
    card = make_card(request["written"], method, settings, request["default_preset"])
    studies = {name: {"title": study.title, "rows": _plain(study.rows)} for name, study in card.studies.items()}
    return {"card": {**asdict(replace(card, studies={})), "studies": studies}}


def card_from_json(value: Mapping[str, Any]) -> MethodCard:
    """Return the card that another process described."""
    card = MethodCard(**value)
    return replace(
        card,
        supervision=Supervision(card.supervision),
        used=tuple(card.used),
        known=tuple(card.known),
        studies={name: Study(**study) for name, study in value["studies"].items()},
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever an option can hold
    """Return mappings of any kind as dicts, which JSON can hold."""
    if not isinstance(value, Mapping):
        return value
    return {name: _plain(inner) for name, inner in cast("Mapping[str, Any]", value).items()}
