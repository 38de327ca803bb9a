"""What the harness knows of a method without its code: told by its class here, or by a process of its own for a file.

What such a process says is data: it becomes names, options and rows after a check, never a path, a rule or code.
"""

import importlib
import json
import re
import unicodedata
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import to_jsonable_python

from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import PluginError, SettingsError, UbenchError
from unseg_bench.plugins.digests import code_digest, file_code_digest
from unseg_bench.plugins.manager import Plugins, file_of, module_name_of
from unseg_bench.plugins.method import Method, Study
from unseg_bench.plugins.presets import nested, preset_options
from unseg_bench.run.settings import RunSettings, is_option_of, option_names, own_name, resolve_method, usual_preset

_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
_OPTION = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_MOST_TEXT = 1_000_000
"""Characters of a description as JSON."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a method's class is, so that a process can import it: a file, or a module and the class's name in it.

    `source`: the file's text as it was when it was first looked at; that is imported, whatever the file has now.
    """

    file: str | None
    module: str
    name: str
    source: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class MethodCard:
    """A method as the harness sees it, without its code.

    `options` are its checked options as JSON, `flat` the same by dotted name; `used` are the names in the settings'
    `set` that it has, `known` all names that it has. `look_below`, `weights`: see `Method`. `learns`: its `fit` is to
    be called; `looks_ahead`: it has an `expect`; `explains`: it has an `explain`. `code`: digest of its code.
    `presets`: their names. `studies`: its ablations by name. `differs`: what a plain `ubench run METHOD` would have
    otherwise, 'preset' (None: the same) and 'options' by name.
    """

    name: str
    floor: bool
    ceiling: bool
    look_below: float | None
    supervision: Supervision
    learns: bool
    looks_ahead: bool
    explains: bool
    weights: tuple[str, ...]
    preset: str
    presets: tuple[str, ...]
    options: dict[str, Any]
    flat: dict[str, Any]
    differs: dict[str, Any]
    used: tuple[str, ...]
    known: tuple[str, ...]
    code: str
    where: Where
    studies: dict[str, Study]


_Text = Annotated[str, Field(max_length=10_000)]
_Label = Annotated[str, Field(min_length=1, max_length=200)]


class _Said(BaseModel):
    """What a method's process may say of it; nothing else is taken."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=rf"^{_NAME}$")]
    floor: bool
    ceiling: bool
    look_below: Annotated[float, Field(ge=0, le=1)] | None
    supervision: str
    learns: bool
    looks_ahead: bool
    explains: bool
    weights: list[Annotated[str, Field(max_length=4096)]]
    preset: Annotated[str, Field(pattern=rf"^{_NAME}$")]
    presets: list[Annotated[str, Field(pattern=rf"^{_NAME}$")]]
    options: dict[str, JsonValue]
    preset_options: dict[str, JsonValue] | None
    known: list[Annotated[str, Field(pattern=rf"^{_OPTION}$", max_length=200)]]
    studies: dict[_Label, tuple[_Text, dict[_Label, dict[str, JsonValue]]]]


def make_card(written: str, method: type[Method], settings: RunSettings, default_preset: str) -> MethodCard:
    """Describe an installed method; `written` is what the user called it. Raises SettingsError."""
    said = _Said.model_validate(_facts(written, method, settings, default_preset), strict=False)
    studies = dict(method.studies)
    return _card(
        said, settings, default_preset, written, code_digest(method.__module__), where_of_class(method), studies
    )


def describe_class(method: type[Method], request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the harness's request for a description, as JSON, in the method's process."""
    settings = RunSettings.model_validate(request["settings"])
    return _facts(request["written"], method, settings, request["default_preset"])


def card_from(
    said: object, settings: RunSettings, default_preset: str, where: Where, taken: Mapping[str, str], written: str
) -> MethodCard:
    """Return the card of a method's file from what its process said; raises PluginError for what cannot be taken.

    `taken`: names of installed methods -> where they come from; it must not look like one. Where its code lies, and its
    digest, are the harness's own findings.
    """
    try:
        text = json.dumps(said, ensure_ascii=False, allow_nan=False)
        if len(text) > _MOST_TEXT:
            raise PluginError(f"{written}: describes itself with {len(text):,} characters; {_MOST_TEXT:,} are taken")
        checked = _Said.model_validate_json(text)
        studies = {name: Study(title, rows) for name, (title, rows) in checked.studies.items()}
        _refuse_unprintable(json.loads(text))
        Supervision(checked.supervision)
        code = file_code_digest(Path(str(where.file)), str(where.source))
        card = _card(checked, settings, default_preset, written, code, where, studies)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        shown = repr(first["input"])[:80]
        raise PluginError(f"{written}: its {place} is not usable: {first['msg']}, not {shown}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise PluginError(f"{written}: what it says of itself is not usable: {error}") from None
    _refuse_look_alike(card.name, taken, written)
    return card


@contextmanager
def said_of(label: str) -> Generator[None]:
    """Name the row whose options are wrong in a SettingsError raised inside; '' is no row."""
    try:
        yield
    except SettingsError as error:
        raise (SettingsError(f"row '{label}': {error}") if label else error) from error


def where_of_class(method: type[Method]) -> Where:
    """Return where a method's class is."""
    file = file_of(method)
    return Where(str(file) if file else None, method.__module__, method.__qualname__)


def where_of_file(path: Path) -> Where:
    """Return the same for a file that was not imported yet; raises PluginError where it is none, or no text."""
    if not path.is_file():
        raise PluginError(f"{path}: no such file; give a method's name or the path of a Python file with one")
    if path.suffix != ".py":
        raise PluginError(f"{path}: not a Python file")
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(f"{path} could not be read: {error}") from None
    return Where(str(path.resolve()), module_name_of(path), "", source)


def load_method(where: Where) -> type[Method]:
    """Import a method's class, in its own process; raises PluginError."""
    if where.file:
        return Plugins().load_file(Path(where.file), where.source)
    try:
        found: Any = importlib.import_module(where.module)
        for name in where.name.split("."):
            found = getattr(found, name)
    except UbenchError:
        raise
    except Exception as error:
        raise PluginError(f"{where.module} could not be imported: {type(error).__name__}: {error}") from error
    return found


def _facts(written: str, method: type[Method], settings: RunSettings, default_preset: str) -> dict[str, Any]:
    preset, options = resolve_method(written, method, settings, default_preset)
    made = method(options)
    return {
        "name": method.name,
        "floor": method.floor,
        "ceiling": method.ceiling,
        "look_below": method.look_below,
        "supervision": str(made.supervision),
        "learns": made.learns,
        "looks_ahead": method.expect is not Method.expect,
        "explains": method.explain is not Method.explain,
        "weights": [str(name) for name in made.weights],
        "preset": preset,
        "presets": list(method.presets),
        "options": options.model_dump(mode="json"),
        "preset_options": _preset_options(method, preset),
        "known": option_names(method.Options),
        "studies": {name: (study.title, _plain(study.rows)) for name, study in method.studies.items()},
    }


def _card(
    said: _Said,
    settings: RunSettings,
    default_preset: str,
    written: str,
    code: str,
    where: Where,
    studies: dict[str, Study],
) -> MethodCard:
    used = tuple(sorted(name for name in settings.set if is_option_of(name, {said.name, written}, said.known)))
    flat = _flat(said.options, said.known)
    if said.preset_options is not None:
        usual = _flat(said.preset_options, said.known)
    else:  # an option without a default: what was not set by name is as it always is
        names = tuple(f"{own_name(name)}." for name in used)
        usual = {name: value for name, value in flat.items() if not f"{name}.".startswith(names)}
    differs = {
        "preset": said.preset if said.preset != usual_preset(said.presets, default_preset) else None,
        "options": {name: value for name, value in flat.items() if name not in usual or usual[name] != value},
    }
    same = said.model_dump(
        include={"name", "floor", "ceiling", "look_below", "learns", "looks_ahead", "explains", "preset", "options"}
    )
    return MethodCard(
        **same,
        supervision=Supervision(said.supervision),
        weights=tuple(said.weights),
        presets=tuple(said.presets),
        flat=flat,
        differs=differs,
        used=used,
        known=tuple(said.known),
        code=code,
        where=where,
        studies=studies,
    )


def _preset_options(method: type[Method], preset: str) -> dict[str, Any] | None:
    try:
        return preset_options(method, preset).model_dump(mode="json")
    except ValidationError:
        return None


def _flat(options: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return nested options by dotted name; raises ValueError where they are not just the known ones."""
    flat: dict[str, Any] = {}
    for dotted in known:
        value: Any = options
        for part in dotted.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise ValueError(f"the option '{dotted}' has no value")
            value = cast("Mapping[str, Any]", value)[part]
        flat[dotted] = value
    if nested(flat) != options:
        raise ValueError("it has options that it does not name")
    return flat


def _refuse_look_alike(name: str, taken: Mapping[str, str], written: str) -> None:
    if name in taken:
        raise PluginError(f"{written}: the name '{name}' is taken by {taken[name]}; choose another")
    for other in taken:
        if _folded(name) == _folded(other):
            raise PluginError(f"{written}: the name '{name}' looks like '{other}'; choose another")


def _folded(name: str) -> str:
    """Return a name without what eyes pass over: case, marks between words, letters for digits."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[._+-]", "", plain).translate(str.maketrans("01", "ol")).replace("i", "l")


def _refuse_unprintable(value: object) -> None:
    if isinstance(value, str):
        if any(not character.isprintable() and character not in "\n\t" for character in value):
            raise ValueError(f"{value[:60]!r} holds characters that cannot be printed")
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            _refuse_unprintable(name)
            _refuse_unprintable(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            _refuse_unprintable(inner)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever an option can hold
    """Return mappings of any kind as dicts and tuples as lists, which JSON can hold."""
    if not isinstance(value, Mapping):
        return to_jsonable_python(value)
    return {name: _plain(inner) for name, inner in cast("Mapping[str, Any]", value).items()}
