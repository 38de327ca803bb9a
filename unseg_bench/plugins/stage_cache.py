"""The stage cache: a result lies, with its history, in a folder named by the digest of all that it depends on."""

import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from unseg_bench.data.atomic import make_folder, room_on_disk, sync_folder, sync_tree, write_json
from unseg_bench.data.locks import hold
from unseg_bench.errors import RunError
from unseg_bench.plugins.digests import digest_of
from unseg_bench.plugins.history import History
from unseg_bench.plugins.host import Unfinished
from unseg_bench.plugins.stage import Artifact

RECORD = "stage.json"
_Open = TypeVar("_Open")


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished result, how long it took, when it was made (in s since 1970), what its maker had seen, and on what.

    `device`: torch's name of it.
    """

    artifact: Artifact
    seconds: float
    made: float
    history: History
    device: str


@dataclass(slots=True)
class Attempt:
    """A stage whose lock is held: `kept` is its result; None while it has to be made in `place`.

    `place.scratch` survives a crash. The files in `place.folder` become the result when the block ends well.
    """

    place: Unfinished
    kept: Kept | None = None

    @property
    def result(self) -> Kept:
        """The result, after the block."""
        assert self.kept is not None  # noqa: S101 - set when the block ends
        return self.kept


class StageCache:
    """Results of stages in `folder`, one folder each; a killed stage leaves its checkpoints in `partials`.

    `may_take` says of a result's history whether it may be taken; one that may not is made anew and kept beside.
    `adds_nothing` says whether a history has nothing that the run has not: a common stage is taken then only.
    Results from before `since` (seconds since 1970) are stale: they are made anew, and replaced.
    """

    def __init__(
        self,
        folder: Path,
        partials: Path,
        *,
        may_take: Callable[[History], bool] = lambda _: True,
        adds_nothing: Callable[[History], bool] = lambda _: True,
        since: float = 0.0,
    ) -> None:
        self.folder, self.partials = folder, partials
        self._may_take, self._adds_nothing, self._since = may_take, adds_nothing, since

    def look_up(self, stage: str, key: Mapping[str, Any]) -> Kept | None:
        """Return the newest result of a stage under a key (see Call.key) that may be taken, if there is one."""
        digest = digest_of(key)
        found: list[Kept] = []
        for record in self.folder.glob(f"{stage}-{digest[:24]}*/{RECORD}"):
            kept = _read(stage, digest, record)
            if kept is None or kept.made < self._since or not self._may_take(kept.history):
                continue
            if not key.get("common") or self._adds_nothing(kept.history):
                found.append(kept)
        return max(found, key=lambda kept: kept.made, default=None)

    @contextmanager
    def attempt(
        self,
        stage: str,
        key: Mapping[str, Any],
        *,
        device: str,
        history: Callable[[], History],
        on_wait: Callable[[str], None] = lambda _: None,
        work: Mapping[str, Any] | None = None,
    ) -> Generator[Attempt]:
        """Hold a stage's lock, give folders to make its result in, and keep what is there when the block ends.

        A result that may be taken is given instead; whoever waits for another process takes that one's. `device`:
        where it is made. `history` is asked at the end: what its maker had seen. `work` says how much there was to do;
        it is kept for estimates.
        """
        digest = digest_of(key)
        name = f"{stage}-{digest[:24]}"
        with hold(self.folder / f"{name}.lock", on_wait):
            partial = self.partials / name
            attempt = Attempt(Unfinished(partial / "result", partial / "scratch"))
            if (found := self.look_up(stage, key)) is not None:
                attempt.kept = found
                yield attempt
                return
            shutil.rmtree(attempt.place.folder, ignore_errors=True)
            with room_on_disk(self.folder):
                make_folder(attempt.place.folder)
                attempt.place.scratch.mkdir(exist_ok=True)
            started = time.monotonic()
            yield attempt
            seconds = round(time.monotonic() - started, 3)
            seen = history()
            final = self.folder / (f"{name}.{seen.variant}" if seen.variant else name)
            made = time.time()
            facts = {"seconds": seconds, "device": device, "made": made, "work": dict(work or {})}
            record = {"key": dict(key), **facts, "history": seen.to_json()}
            self._keep(attempt.place.folder, final, record)
            shutil.rmtree(partial, ignore_errors=True)
            attempt.kept = Kept(Artifact(stage, final, digest), seconds, made, seen, device)

    def _keep(self, result: Path, final: Path, record: Mapping[str, Any]) -> None:
        """Copy a result to its final place: whoever still holds one of its files or folders holds the one that goes."""
        aside = final.with_name(final.name + ".new")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            with room_on_disk(self.folder):
                _settle(result, aside)
                write_json(aside / RECORD, record)
                sync_tree(aside)
            shutil.rmtree(final, ignore_errors=True)
            aside.replace(final)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        sync_folder(final.parent)


def take_newest(unfinished: list[_Open]) -> _Open:
    """Take the newest of the stages that are being made; raises RunError where there is none."""
    if not unfinished:
        raise RunError("the end of a stage was told, but no stage is being made")
    return unfinished.pop()


def _read(stage: str, digest: str, record: Path) -> Kept | None:
    """Return a kept result, None for one that is being removed, is damaged, or was kept without a history."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        value: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        history = History.from_json(value["history"])
        seconds, made, device = float(value["seconds"]), float(value["made"]), str(value["device"])
        return Kept(Artifact(stage, record.parent, digest), seconds, made, history, device)
    return None


def _settle(result: Path, target: Path) -> None:
    """Move a result into files that its maker has never seen, one by one; raises RunError.

    Links to elsewhere, pipes and the like are refused, since whoever reads the result would follow them. A file that is
    still open for writing is refused too: what is written into it later would be missing.
    """
    if result.is_symlink() or not result.is_dir():
        raise RunError(f"{result} is no folder any more; a stage writes its result into the folder that it was given")
    for parent, folders, names, here in os.fwalk(result, onerror=_refuse_unreadable):
        place = target / Path(parent).relative_to(result)
        place.mkdir()
        for name in folders:
            if not stat.S_ISDIR(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                raise _not_plain(Path(parent, name))
        for name in names:
            if not stat.S_ISREG(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                raise _not_plain(Path(parent, name))
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
            with os.fdopen(file, "rb") as source, (place / name).open("wb") as copy:
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                    raise _not_plain(Path(parent, name))
                _refuse_open(file, name)
                shutil.copyfileobj(source, copy, 1 << 20)
            os.unlink(name, dir_fd=here)


def _not_plain(path: Path) -> RunError:
    return RunError(f"{path} is a link or a special file; a stage's result holds plain files only")


def _refuse_unreadable(error: OSError) -> None:
    raise RunError(f"{error.filename}: cannot be read ({error.strerror}); a stage's result holds plain files only")


def _refuse_open(file: int, name: str) -> None:
    """Raise RunError where a file is open for writing, as far as the file system can tell."""
    lease = getattr(fcntl, "F_SETLEASE", None)
    if lease is None:
        return
    try:
        fcntl.fcntl(file, lease, fcntl.F_RDLCK)
        fcntl.fcntl(file, lease, fcntl.F_UNLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            raise RunError(
                f"{name} is still open for writing although its stage has ended; close it (a memory map: delete it) "
                "before the stage's function returns"
            ) from None
