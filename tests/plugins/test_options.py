"""The class of options that a plugin names in brackets."""

from typing import Generic, TypeVar

import pytest

from unseg_bench import Dataset, DatasetOptions, Method, MethodOptions


class Level(MethodOptions):
    level: float = 1.0


class Finer(Level):
    step: int = 2


class Place(DatasetOptions):
    folder: str = "."


T = TypeVar("T")


class Mixin(Generic[T]):
    pass


class Plain(Method):
    name = "plain"


class Named(Method[Level]):
    name = "named"


class Heir(Named):
    name = "heir"


class Mixed(Mixin[int], Method[Level]):
    name = "mixed"


OptionsT_co = TypeVar("OptionsT_co", bound=Level, covariant=True)


class Shared(Method[OptionsT_co]):
    name = "shared"


class Own(Shared[Finer]):
    name = "own"


class Data(Dataset[Place]):
    name = "data"


@pytest.mark.parametrize(
    ("plugin", "options"),
    [
        (Plain, MethodOptions),
        (Named, Level),
        (Heir, Level),
        (Mixed, Level),
        (Shared, MethodOptions),
        (Own, Finer),
        (Data, Place),
    ],
    ids=lambda value: value.__name__,
)
def test_brackets_name_the_class_of_the_options(plugin, options):
    assert plugin.Options is options
