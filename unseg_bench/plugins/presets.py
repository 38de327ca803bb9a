"""From a preset's dotted or nested names to a method's checked options."""

from collections.abc import Mapping
from typing import Any, cast

from unseg_bench.errors import SettingsError
from unseg_bench.plugins.method import Method, MethodOptions

CHECK = "check"
"""Name of the preset that the conformance kit uses where a method has it: the smallest setting that still works."""


def assign(values: dict[str, Any], dotted: str, value: object) -> None:
    """Put `value` at `a.b.c` into nested `values`; a mapping is merged into a group that is there already.

    Raises SettingsError where a group is expected and a plain value stands.
    """
    *groups, last = dotted.split(".")
    inside = values
    for group in groups:
        inside = _group(inside, group, dotted)
    if not isinstance(value, Mapping):
        inside[last] = value
        return
    group = _group(inside, last, dotted)
    for name, inner in cast("Mapping[str, Any]", value).items():
        assign(group, name, inner)


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted or nested options as nested ones; raises as `assign`."""
    values: dict[str, Any] = {}
    for name, value in options.items():
        assign(values, name, value)
    return values


def _group(values: dict[str, Any], name: str, dotted: str) -> dict[str, Any]:
    found = values.setdefault(name, {})
    if not isinstance(found, dict):
        raise SettingsError(f"option '{dotted}': '{name}' is {found!r} already and cannot hold names; give it once")
    return cast("dict[str, Any]", found)


def preset_options(method: type[Method], preset: str) -> MethodOptions:
    """Return the options of a preset; a method without presets has only 'default', its options as declared.

    Raises pydantic's ValidationError when the preset does not fit the options.
    """
    return method.Options.model_validate(nested(method.presets.get(preset, {})))
