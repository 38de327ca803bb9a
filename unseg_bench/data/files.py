"""What a data set says about its files, and what a look at them found."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[int, int, str], None]
"""Called as (done, total, what) while something takes its time."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Where a case's FLAIR is: a NIfTI file, and which `channel` of it when it is 4D."""

    path: Path
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """Where a case's reference mask is; `tumour_labels` are the values that count (None: every label > 0)."""

    path: Path
    tumour_labels: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What `ubench data check` found: sentences for people. `problems` stop a run, `notes` do not."""

    cases: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remedy: str = ""
