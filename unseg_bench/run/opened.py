"""An audit hook: which files this process opens, and which programs it starts, while a method runs unsealed.

It sees what goes through Python (open, os.open, libraries on top of them, subprocess), not what C code opens.
"""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unseg_bench.data.atomic import write_text
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import DataError
from unseg_bench.plugins.dataset import Dataset

if TYPE_CHECKING:
    from unseg_bench.run.plan import RunPlan

LIST = "opened.txt"
_listening: "list[Opened]" = []
_hooked: list[bool] = []


class Opened:
    """Paths opened and programs started, as they were written, without repetition."""

    def __init__(self) -> None:
        self.paths: dict[str, None] = {}
        self.programs: dict[str, None] = {}

    def report(self, plan: "RunPlan") -> dict[str, Any]:
        """Write the list into the run's folder; return which references of the data set are on it, for run.json.

        Python's own files, the device's and those of the cache's stages and images are not listed.
        """
        own = [*map(Path, {sys.prefix, sys.base_prefix}), *(cache_dir() / part for part in ("stages", "prepared"))]
        ignored = [
            str(path.resolve()) + os.sep for path in (*own, *map(Path, ("/proc", "/sys", "/dev", "/usr", "/etc")))
        ]
        resolved = {os.path.realpath(path): path for path in list(self.paths)}
        listed = sorted(path for path in resolved if not path.startswith(tuple(ignored)))
        masks = {os.path.realpath(path) for path in reference_files(plan.dataset, plan.used_case_ids)}
        lines = [*listed, *(f"program: {program}" for program in self.programs)]
        write_text(plan.folder.path / LIST, "".join(line + "\n" for line in lines))
        return {
            "opened_files": len(listed),
            "opened_references": sum(path in masks for path in resolved),
            "started_programs": len(self.programs),
        }


def reference_files(dataset: Dataset, case_ids: Sequence[str]) -> list[Path]:
    """Return the reference files of these cases, as far as they are there."""
    files: list[Path] = []
    for case_id in case_ids:
        with suppress(DataError):
            reference = dataset.reference(case_id)
            files += [] if reference is None else [reference.path]
    return files


@contextmanager
def watch(opened: Opened | None) -> Generator[None]:
    """Write down what is opened inside the block, in any thread; None: nothing."""
    if opened is None:
        yield
        return
    if not _hooked:
        sys.addaudithook(_hear)
        _hooked.append(True)
    _listening.append(opened)
    try:
        yield
    finally:
        _listening.remove(opened)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listening:
        return
    if event == "open" and isinstance(arguments[0], str | bytes):
        _listening[-1].paths[os.path.abspath(os.fsdecode(arguments[0]))] = None  # noqa: PTH100 - links are resolved later
    elif event == "subprocess.Popen":
        _listening[-1].programs[str(arguments[0])] = None
