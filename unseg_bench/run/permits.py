"""What a run may have: files and sources that the user named, labels that its method declared, results of stages."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from unseg_bench.data.digests import digests_of_readable
from unseg_bench.data.labels import MASK_PARTS, SLICE_LABEL_PARTS
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.splits import PARTS
from unseg_bench.plugins.history import MODES, History, Read, identity
from unseg_bench.run.data_files import data_files, reference_files
from unseg_bench.run.plan import RunPlan

_OF_THE_SYSTEM = ("/proc", "/sys", "/dev")
"""Files there are no weights: they tell of processes, the harness among them."""
_GRANTED = {"mask": MASK_PARTS, "slice-labels": SLICE_LABEL_PARTS}


class Permits:
    """The permits of one run in a session of a mode ('sealed', 'ledger' or 'not sealed')."""

    def __init__(self, plan: RunPlan, mode: str) -> None:
        self._plan, self._mode = plan, mode
        self.named = frozenset(_texts(plan.settings.set))
        """Every text among the options that the user set, on the command line or in a settings file."""
        self._part_of = {case_id: part for part in PARTS for case_id in plan.split.part(part)}

    def is_named_file(self, name: str) -> bool:
        """Whether the user named this file, and it is none of the data set's, of runs, or of the cache; NIfTI never."""
        return name in self.named and not self._is_protected(Path(name).expanduser().resolve())

    @property
    def sources(self) -> frozenset[str]:
        """The folders that the user named: masks may come from them."""
        return frozenset(name for name in self.named if _is_folder(name))

    def may_take(self, history: History, own: History) -> bool:
        """Whether a run that has seen `own` may take a result whose maker had seen `history`.

        Only where it could have had all of that itself: then nothing comes in that it would not be granted.
        """
        sources = {str(Path(source).expanduser().resolve()) for source in self.sources} | set(own.sources)
        weakest = max(self._mode, own.mode, key=MODES.index)
        known = {identity(read) for read in own.label_reads}
        return (
            MODES.index(history.mode) <= MODES.index(weakest)
            and history.sources.keys() <= sources
            and all(name in own.own_weights or self.is_named_file(name) for name in history.own_weights)
            and all(identity(read) in known or self._is_granted(read, sources) for read in history.label_reads)
        )

    def _is_granted(self, read: Read, sources: set[str]) -> bool:
        if "via" in read:
            return read["via"] in sources
        part = self._part_of.get(str(read["case"]), "other")
        return part in _GRANTED.get(str(read["kind"]), {}).get(self._plan.method.supervision, ())

    def reference_digests(self) -> set[str | None]:
        """Return the SHA-256 of every reference of the data set's cases, as far as they are there."""
        files = reference_files(self._plan.dataset, self._plan.split.case_ids)
        return set(digests_of_readable(files).values()) - {None}

    def _is_protected(self, path: Path) -> bool:
        if ".nii" in path.suffixes or any(path.is_relative_to(place) for place in _OF_THE_SYSTEM):
            return True
        resolved = [file.resolve() for file in data_files(self._plan.dataset, self._plan.used_case_ids)]
        folders = {file if file.is_dir() else file.parent for file in resolved}
        folders |= {self._plan.folder.path.parent.resolve(), cache_dir().resolve()}
        weights = (cache_dir() / "weights").resolve()
        return not path.is_relative_to(weights) and any(path.is_relative_to(folder) for folder in folders)


def _texts(value: object) -> Iterator[str]:
    """Every text in nested values, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in cast("Mapping[str, Any]", value).values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in cast("list[Any]", value):
            yield from _texts(one)


def _is_folder(text: str) -> bool:
    with suppress(OSError, ValueError, RuntimeError):
        return bool(text) and Path(text).expanduser().is_dir()
    return False
