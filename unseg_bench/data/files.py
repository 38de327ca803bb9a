"""What a data set says about its files, and what a look at them found."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from unseg_bench.data.splits import Split
from unseg_bench.errors import DataError

FileT = TypeVar("FileT")

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


class CaseFiles(Protocol):
    """What is asked here of a data set: its cases and their files. `unseg_bench.Dataset` says what each means."""

    def split(self) -> Split:
        """Return the case ids of each part."""
        ...

    def healthy(self) -> tuple[str, ...]:
        """Return ids of cases that are declared free of tumour."""
        ...

    def image(self, case_id: str) -> ImageFile:
        """Return the FLAIR file of a case; raises DataError when it is missing."""
        ...

    def reference(self, case_id: str) -> ReferenceFile | None:
        """Return the reference mask's file of a case, or None where there is none for it."""
        ...

    def made_from(self, case_id: str) -> dict[str, object] | None:
        """Return what a case's files are made from when they are first asked for, None where files are read."""
        ...


def if_there(ask: Callable[[str], FileT | None], case_id: str) -> FileT | None:
    """Return what a data set answers about a case's file, None where the file is missing."""
    try:
        return ask(case_id)
    except DataError:
        return None
