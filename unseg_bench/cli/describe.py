"""Options of methods and data sets as people read them."""

import json
import re
from typing import TYPE_CHECKING, Any, cast

from unseg_bench.cli.text import new_table

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from rich.console import Console


def first_line(described: type) -> str:
    """Return the first line of a class's own docstring, or its title if it has none."""
    text = (described.__dict__.get("__doc__") or getattr(described, "title", "") or "").strip()
    return str(text).partition("\n")[0].rstrip(".")


def describe_options(model: "type[BaseModel]", prefix: str = "") -> list[dict[str, Any]]:
    """Return name, type, default and description of every option, groups opened, in the order of the class."""
    from pydantic import BaseModel

    described: list[dict[str, Any]] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            described += describe_options(inner, f"{prefix}{name}.")
        else:
            described.append(
                {
                    "name": prefix + name,
                    "type": _type_text(field),
                    "default": _default(field),
                    "description": field.description or "",
                }
            )
    return described


def print_options(console: "Console", options: list[dict[str, Any]], flag: str) -> None:
    """Print a table of options, each with its default and what it means."""
    from unseg_bench.cli.consoles import styled

    if not options:
        console.print("no options")
        return
    table = new_table(f"option ({flag})", "default", "type and meaning")
    table.columns[0].no_wrap = True
    for option in options:
        described = f"  {option['description']}" if option["description"] else ""
        table.add_row(option["name"], _short(option["default"]), styled((option["type"], "dim"), described))
    console.print(table)


def _type_text(field: "FieldInfo") -> str:
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


def _default(field: "FieldInfo") -> Any:  # noqa: ANN401 - whatever an option can hold
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def value_text(value: object) -> str:
    """Return a value as `--set` takes it: text as it is, the rest as JSON (null for none)."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _short(value: object, most: int = 26) -> str:
    text = value_text(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
