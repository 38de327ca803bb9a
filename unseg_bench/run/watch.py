"""An audit hook: which files this process opens, and which programs it starts, while a method runs unsealed.

It sees what goes through Python (open, os.open, libraries on top of them, subprocess), not what C code opens.
"""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unseg_bench.data.atomic import write_text
from unseg_bench.data.paths import cache_dir
from unseg_bench.run.data_files import data_folders, image_files, reference_files
from unseg_bench.run.plan import RunPlan

LIST = "opened.txt"
_SYSTEM = ("/proc", "/sys", "/dev", "/usr", "/etc")
_listening: "list[Opened]" = []
_hooked: list[bool] = []


class Opened:
    """Paths opened and programs started, as they were written, without repetition."""

    def __init__(self) -> None:
        self.paths: dict[str, None] = {}
        self.programs: dict[str, None] = {}

    def report(self, plan: RunPlan) -> dict[str, Any]:
        """Write the list into the run's folder; return for run.json how many of the data set's files are on it.

        Python's own files, the device's and those of the cache's stages and images are not listed. An image that the
        run was given is no news.
        """
        own = [*map(Path, {sys.prefix, sys.base_prefix}), *(cache_dir() / part for part in ("stages", "prepared"))]
        ignored = tuple(str(path.resolve()) + os.sep for path in (*own, *map(Path, _SYSTEM)))
        listed = sorted({path for path in map(os.path.realpath, list(self.paths)) if not path.startswith(ignored)})
        # Healthy cases only where the method asked for them: a data set may make a file when it is asked where it is.
        asked = "healthy" in plan.folder.record.get("images", {})
        given = (*plan.used_case_ids, *(plan.dataset.healthy() if asked else ()))
        images = {str(path.resolve()) for path in image_files(plan.dataset, given)}
        masks = {str(path.resolve()) for path in reference_files(plan.dataset, plan.used_case_ids)}
        folders = tuple(str(folder) + os.sep for folder in data_folders(plan.dataset))
        data = [path for path in listed if path in masks or (path.startswith(folders) and path not in images)]
        lines = [*listed, *(f"program: {program}" for program in self.programs)]
        write_text(plan.folder.path / LIST, "".join(line + "\n" for line in lines))
        return {"opened_files": len(listed), "opened_data_files": len(data), "started_programs": len(self.programs)}


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


@contextmanager
def unwatched() -> Generator[None]:
    """What is opened inside the block is the harness's doing: whoever listens does not hear it."""
    with watch(Opened() if _listening else None):
        yield


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listening:
        return
    if event == "open" and isinstance(arguments[0], str | bytes):
        _listening[-1].paths[os.path.abspath(os.fsdecode(arguments[0]))] = None  # noqa: PTH100 - links are resolved later
    elif event == "subprocess.Popen":
        _listening[-1].programs[str(arguments[0])] = None
