"""Text to plain values: YAML and TOML, narrowed to what JSON can hold; a ValueError says in one line what is wrong."""

import math
import re
import tomllib
from typing import Any, Literal, cast

import yaml

Language = Literal["yaml", "toml"]

_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
_TAG = "tag:yaml.org,2002:"


class _Yaml(yaml.SafeLoader):
    """YAML with numbers and booleans as JSON has them: `7:1:2` and `on` are text, not 25262 and True.

    There are no dates, sets, merges or other tags: an unknown tag is an error. So is an alias: a few lines of them
    stand for more values than any memory holds.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases where YAML would put the anchored value."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise ValueError(
                f"line {event.start_mark.line + 1}: aliases (*{event.anchor}) are not read; repeat the value"
            )
        return super().compose_node(parent, index)


_Yaml.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix(_TAG) in _PLAIN
}
_Yaml.yaml_implicit_resolvers = {
    first: kept
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [pair for pair in pairs if pair[0] == _TAG + "null"])
}
_Yaml.add_implicit_resolver(_TAG + "bool", re.compile(r"(true|false)$"), list("tf"))
_Yaml.add_implicit_resolver(_TAG + "int", re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
_Yaml.add_implicit_resolver(
    _TAG + "float",
    re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def read_values(text: str, language: Language = "yaml") -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return the value that a text stands for; JSON is YAML too.

    Raises ValueError saying in one line what cannot be read, or what JSON cannot hold: names that are no text, NaN,
    infinite numbers, dates.
    """
    try:
        value: object = tomllib.loads(text) if language == "toml" else _read_yaml(text)
        _check(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (yaml.YAMLError, ValueError, LookupError) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    return value


def _read_yaml(text: str) -> object:
    loader = _Yaml(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _check(value: object) -> None:
    """Refuse what JSON cannot hold."""
    if isinstance(value, dict):
        for name, inner in cast("dict[object, object]", value).items():
            if not isinstance(name, str):
                raise ValueError(f"the name {name!r} is no text; put it into quotes")
            if not name.isprintable():
                raise ValueError(f"the name {name!r} has characters that cannot be printed")
            _check(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            _check(inner)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no finite number")
    elif value is not None and not isinstance(value, bool | int | float):
        raise ValueError(f"{value} is a {type(value).__name__}; put it into quotes if text is meant")
