"""What can be told of a plugin's class: its options, presets and studies, as JSON values."""

import re
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.plugins.options import option_fields
from unseg_bench.plugins.presets import preset_options


class OptionFacts(BaseModel):
    """One option: dotted name, type in words, default ('required' where it has none), what it means."""

    model_config = ConfigDict(extra="forbid")

    name: str
    type: str
    default: JsonValue
    description: str


class StudyFacts(BaseModel):
    """One study: its title, and its rows with the options that they change."""

    model_config = ConfigDict(extra="forbid")

    title: str
    rows: dict[str, dict[str, JsonValue]]


class MethodFacts(BaseModel):
    """What `ubench methods NAME` tells.

    `supervision`: the declared level, or 'by its options'; then `supervision_by_preset` has it by preset.
    `preset_sources`: preset -> what it takes from where. `differing`: preset -> the options in which it differs from
    the defaults, by dotted name.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    what: str
    supervision: str
    floor: bool
    ceiling: bool
    presets: dict[str, dict[str, JsonValue]]
    preset_sources: dict[str, str]
    studies: dict[str, StudyFacts]
    supervision_by_preset: dict[str, str]
    options: list[OptionFacts]
    differing: dict[str, dict[str, JsonValue]]


def method_facts(method: type[Method]) -> MethodFacts:
    """Return what there is to tell of a method."""
    made = {preset: preset_options(method, preset) for preset in method.presets or ["default"]}
    levels = {preset: str(method(options).supervision) for preset, options in made.items()}
    by_options = _looks_at_options(method(next(iter(made.values()))))
    defaults = {option.name: option.default for option in describe_options(method.Options)}
    return MethodFacts(
        name=method.name,
        what=first_line(method),
        supervision="by its options" if by_options else next(iter(levels.values())),
        floor=method.floor,
        ceiling=method.ceiling,
        presets={preset: to_jsonable_python(dict(values)) for preset, values in method.presets.items()},
        preset_sources={
            preset: " ".join(str(words).split())
            for preset, words in method.preset_sources.items()
            if preset in method.presets
        },
        studies={
            name: StudyFacts(
                title=study.title, rows={row: to_jsonable_python(dict(own)) for row, own in study.rows.items()}
            )
            for name, study in method.studies.items()
        },
        supervision_by_preset=levels if by_options else {},
        options=describe_options(method.Options),
        differing={
            preset: {
                name: value for name, value in flatten_options(made[preset]).items() if defaults.get(name) != value
            }
            for preset in method.presets
        },
    )


class _Looked(Exception):  # noqa: N818 - no error
    """Somebody looked at an option."""


class _Watched:
    """Stands where the options stood, to notice who looks at them."""

    def __getattr__(self, name: str) -> object:
        raise _Looked(name)


def _looks_at_options(made: Method) -> bool:
    """Say whether what a method declares may follow its options."""
    made.options = cast("MethodOptions", _Watched())
    try:
        _ = made.supervision
    except _Looked:
        return True
    return False


def first_line(described: type) -> str:
    """Return the first line of a class's own docstring, or its title if it has none."""
    text = (described.__dict__.get("__doc__") or getattr(described, "title", "") or "").strip()
    return str(text).partition("\n")[0].rstrip(".")


def describe_options(model: type[BaseModel]) -> list[OptionFacts]:
    """Return name, type, default and description of every option, groups opened, in the order of the class."""
    return [
        OptionFacts(
            name=name,
            type=_type_text(field),
            default=_default(field),
            description=" ".join((field.description or "").split()),
        )
        for name, field in option_fields(model)
    ]


def flatten_options(options: BaseModel, prefix: str = "") -> dict[str, Any]:
    """Return all options of a method as dotted names and JSON values, ready to be given again as `set`."""
    flat: dict[str, Any] = {}
    for name, value in options:
        if isinstance(value, BaseModel):
            flat |= flatten_options(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = options.model_dump(mode="json", include={name})[name]
    return flat


def _type_text(field: FieldInfo) -> str:
    """Return a type as one would say it: 'int, >= 1', 'list of str', 'one of 'fixed', 'otsu''."""
    annotation = field.annotation
    text = annotation.__name__ if isinstance(annotation, type) and "[" not in str(annotation) else str(annotation)
    text = re.sub(r"\b(typing|pathlib|collections\.abc)\.", "", text)
    text = re.sub(r"[Tt]uple\[(\w+), \.\.\.\]", r"list of \1", text)
    text = re.sub(r"[Tt]uple\[(\w+)((?:, \1)+)\]", lambda found: f"{found[2].count(',') + 1} of {found[1]}", text)
    text = re.sub(r"Annotated\[(.+?), .*\]", r"\1", text)
    text = re.sub(r"Literal\[([^]]+)\]", r"one of \1", text).replace(" | None", " or none")
    bounds = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [
        f"{sign} {getattr(constraint, name)}"
        for constraint in field.metadata
        for name, sign in bounds.items()
        if getattr(constraint, name, None) is not None
    ]
    return ", ".join([text, *limits])


def _default(field: FieldInfo) -> Any:  # noqa: ANN401 - whatever an option can hold
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return to_jsonable_python(value)
