"""What a method's author wants to know of it: named sets of runs that differ in some options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Study:
    """One question about a method, answered by `ubench ablate METHOD --study NAME`.

    `rows`: what a row is called in the table -> the options that it changes, dotted or nested as in a preset; they come
    over the preset's, and `--set` comes over them. Rows whose options come out equal are one run.
    """

    title: str
    rows: Mapping[str, Mapping[str, Any]]
