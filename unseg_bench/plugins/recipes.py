"""What `ubench reproduce NAME` runs and shows: the tables and figures of a paper, as a plugin lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class MethodsPart:
    """A table of methods, each with the data set's default preset or the one that is asked for.

    `key`: names its files and anchors: letters, digits, '-'. `published`: the printed table beside it, such as
    'table1' (`unseg_bench.compare.published_table.PRINTED`); None: none.
    """

    key: str
    title: str
    methods: Sequence[str]
    published: str | None = None


@dataclass(frozen=True, slots=True)
class StudyPart:
    """A table of one study of a method (see `Study`); `key` and `published` as in MethodsPart."""

    key: str
    title: str
    method: str
    study: str
    published: str | None = None


@dataclass(frozen=True, slots=True)
class SweepPart:
    """A curve: one option of a method at several numbers, all other options as they are; `key` as in MethodsPart."""

    key: str
    title: str
    method: str
    option: str
    values: Sequence[Any]


Part: TypeAlias = "MethodsPart | StudyPart | SweepPart"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The tables and figures of one paper, in its order. Methods that are not installed are left out and named."""

    name: str
    title: str
    parts: Sequence[Part]
