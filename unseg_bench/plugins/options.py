"""Options of methods and data sets, and how a plugin names the class of its own: `Method[MyOptions]`."""

from typing import TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict

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
