"""What lies in the cache, by kind: how much it is, and how it goes away."""

import shutil
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of cached things: its name, what is lost with it, and the patterns that find it in the cache folder."""

    name: str
    what: str
    patterns: tuple[str, ...]


KINDS: tuple[Kind, ...] = (
    Kind(
        "partial",
        "what killed processes left unfinished",
        ("stages/*.partial", "sealed/stages/*/partial/*.partial", "prepared/.part-*"),
    ),
    Kind("stages", "results of stages: runs compute them again", ("stages/*", "sealed/stages/*/*")),
    Kind("tools", "fonts and compiled code that libraries keep for sealed methods", ("sealed/tools/*",)),
    Kind("prepared", "prepared images: made again in seconds a case", ("prepared/[!.]*",)),
    Kind("phantom", "phantom images: made again in about a second each", ("phantom/*",)),
)
"""Weights are not among them: they cost a download."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of the cache with its size and the time of its last change."""

    path: Path
    size: int
    changed: float


def find_entries(cache: Path, kind: Kind, older_than_days: float = 0.0) -> list[Entry]:
    """Return what there is of a kind that was last changed more than so many days ago."""
    latest = time.time() - older_than_days * SECONDS_A_DAY
    found = (_entry(path) for pattern in kind.patterns for path in sorted(cache.glob(pattern)) if _is(path, kind))
    return [entry for entry in found if entry.changed <= latest]


def remove(entries: Iterable[Entry]) -> tuple[int, list[Path]]:
    """Delete entries; returns the bytes freed, and the paths that were left because a process is at work there."""
    freed, busy = 0, []
    for entry in entries:
        with _unless_busy(entry.path) as free:
            if not free:
                busy.append(entry.path)
                continue
            if entry.path.is_dir():
                shutil.rmtree(entry.path)
            else:
                entry.path.unlink(missing_ok=True)
            freed += entry.size
    return freed, busy


def total(entries: Sequence[Entry]) -> int:
    """Return the bytes of all entries."""
    return sum(entry.size for entry in entries)


def _is(path: Path, kind: Kind) -> bool:
    """A stage's lock and unfinished folder lie beside its result; neither is a result."""
    return kind.name != "stages" or (path.suffix not in {".lock", ".partial"} and path.name != "partial")


def _entry(path: Path) -> Entry:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    states = [file.stat() for file in files]
    changed = max((state.st_mtime for state in states), default=path.stat().st_mtime)
    return Entry(path, sum(state.st_size for state in states), changed)


@contextmanager
def _unless_busy(path: Path) -> Generator[bool]:
    """Hold a stage's lock while it is deleted; False when a process holds it."""
    from filelock import Timeout

    from unseg_bench.data.locks import file_lock

    if "stages" not in {parent.name for parent in path.parents[:3]}:
        yield True
        return
    beside = path.parent.parent if path.parent.name == "partial" else path.parent
    lock = file_lock(beside / f"{path.name.removesuffix('.partial')}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
