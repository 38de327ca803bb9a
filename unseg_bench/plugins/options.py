"""Options of methods and data sets, and how a plugin names the class of its own: `Method[MyOptions]`."""

from collections.abc import Iterator
from typing import TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

T = TypeVar("T", bound=type[BaseModel])


class PluginOptions(BaseModel):
    """Base of a plugin's options, nested groups included; unknown names, infinity and NaN are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


def named_options(plugin: type, inherited: T) -> T:
    """Return the class of options that `class Mine(Method[MyOptions])` names, `inherited` where it names none."""
    for base in plugin.__dict__.get("__orig_bases__", ()):
        for argument in get_args(base):
            if isinstance(argument, type) and issubclass(argument, BaseModel):
                return cast("T", argument)
    return inherited


def option_fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the dotted name and the field of every option, groups opened, in the order of the class."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from option_fields(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, field
