"""`ubench clean`: free what can be made again."""

import re
import shutil
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.console.streams import new_table, say, stdout
from unseg_bench.words import bytes_text, count_text

SECONDS_A_DAY = 86_400
_VARIANT = re.compile(r"(?<=-[0-9a-f]{24})\.[0-9a-f]{8}$")
"""Of a result's folder: its history's digits, after the name that the stage's lock has too (see `plugins.history`)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of cached things: its name, what is lost with it, and the patterns that find it in the cache folder."""

    name: str
    what: str
    patterns: tuple[str, ...]


KINDS: tuple[Kind, ...] = (
    Kind("partial", "what killed processes left unfinished", ("partial/*/*", "stages/*/*.new", "prepared/.part-*")),
    Kind("stages", "results of stages: runs compute them again", ("stages/*/*",)),
    Kind("prepared", "prepared images: made again in seconds a case", ("prepared/[!.]*",)),
    Kind("phantom", "phantom images: made again in about a second each", ("phantom/*",)),
)
"""Weights are not among them: they cost a download."""
KIND_NAMES = tuple(kind.name for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of the cache with its size and the time of its last change."""

    path: Path
    size: int
    changed: float


@app.command(
    rich_help_panel="This machine",
    epilog=examples(
        ("ubench clean", "Say what would be freed, then ask."),
        ("ubench clean stages --older-than 30", "Only results of stages unchanged for a month."),
        ("ubench clean --yes", "Without asking, for scripts."),
    ),
)
def clean(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(metavar="KIND", help=f"Of {', '.join(KIND_NAMES)}. Default: all.", show_default=False),
    ] = None,
    older_than: Annotated[
        float, typer.Option(min=0, metavar="DAYS", help="Only what was last changed so many days ago.")
    ] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Free cached results and images. Runs, their maps included, and weights stay.

    Everything that is freed is made again when it is needed; results do not change by it.
    """
    from unseg_bench.data.paths import cache_dir
    from unseg_bench.errors import SettingsError
    from unseg_bench.plugins.names import did_you_mean

    for name in kinds or []:
        if name not in KIND_NAMES:
            raise SettingsError(f"unknown kind '{name}'.{did_you_mean(name, KIND_NAMES)}")
    cache = cache_dir()
    chosen = [kind for kind in KINDS if not kinds or kind.name in kinds]
    found = {kind: find_entries(cache, kind, older_than) for kind in chosen}
    everything = [entry for entries in found.values() for entry in entries]
    say(f"cache  {cache}")
    if not everything:
        say("nothing to free")
        return
    table = new_table("kind", "number", "size", "what it is", right=("number", "size"))
    for kind, entries in found.items():
        table.add_row(kind.name, str(len(entries)), bytes_text(total(entries)), kind.what)
    stdout().print(table)
    if not yes and not typer.confirm(f"Free {bytes_text(total(everything))}?"):
        say("nothing was freed")
        return
    freed, busy = remove(everything)
    say(f"freed {bytes_text(freed)}")
    if busy:
        say(f"left {count_text(len(busy), 'stage')} that a process is at work on, e.g. {busy[0].name}")


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
    """A stage's lock, and a result that is being moved to its place, lie beside the results; neither is one."""
    return kind.name != "stages" or path.suffix not in {".lock", ".new"}


def _entry(path: Path) -> Entry:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    states = [file.stat() for file in files]
    changed = max((state.st_mtime for state in states), default=path.stat().st_mtime)
    return Entry(path, sum(state.st_size for state in states), changed)


@contextmanager
def _unless_busy(path: Path) -> Generator[bool]:
    """Hold the locks of a stage while a folder of it is deleted; False when a process holds one."""
    from filelock import Timeout

    from unseg_bench.data.locks import file_lock

    with ExitStack() as held:
        try:
            for lock in _locks(path):
                held.enter_context(file_lock(lock).acquire(timeout=0))
        except Timeout:
            yield False
            return
        yield True


def _locks(path: Path) -> list[Path]:
    """Return the lock files of a stage's result, or of an unfinished one, which may be any plugin's of that name."""
    stage = _VARIANT.sub("", path.name.removesuffix(".new"))
    if path.parent.parent.name == "stages":
        return [path.with_name(f"{stage}.lock")]
    if path.parent.parent.name == "partial":
        return sorted(path.parents[2].glob(f"stages/*/{escape(stage)}.lock"))
    return []
