"""The stage cache: a stage's result lies in a folder named by the digest of all that it depends on."""

import json
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from unseg_bench.data.atomic import full_disk, make_folder, room_on_disk, sync_folder, sync_tree, write_json
from unseg_bench.errors import RunError, UbenchError
from unseg_bench.plugins.context import Artifact, Input, Stage
from unseg_bench.run.determinism import explain_failure, is_deterministic
from unseg_bench.run.digests import code_digest, digest_of
from unseg_bench.run.locks import hold

RECORD = "stage.json"


@dataclass(frozen=True, slots=True)
class StageWork:
    """What a stage function is given (see `unseg_bench.plugins.context.Work`)."""

    folder: Path
    scratch: Path
    seed: int
    device: str
    report: Callable[[int, int, str], None]

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are finished."""
        self.report(done, total, note)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a stage with its options and inputs; `key` is everything that its result depends on."""

    stage: Stage
    options: BaseModel | None
    inputs: Mapping[str, Input]
    seed: int

    @property
    def key(self) -> dict[str, Any]:
        """The JSON value whose digest names the result."""
        return {
            "stage": self.stage.name,
            "code": code_digest(self.stage.module),
            "options": None if self.options is None else self.options.model_dump(mode="json"),
            "inputs": {name: _input_digest(value) for name, value in self.inputs.items()},
            "seed": self.seed if self.stage.seeded else None,
            **({"deterministic": True} if is_deterministic() else {}),
        }


@dataclass(slots=True)
class Attempt:
    """A stage whose lock is held: `artifact` is its result; None while it has to be made in `folder`.

    `scratch` survives a crash. When the block ends without an error, the files in `folder` become the result.
    """

    folder: Path
    scratch: Path
    artifact: Artifact | None = None

    @property
    def result(self) -> Artifact:
        """The result, after the block."""
        assert self.artifact is not None  # noqa: S101 - set when the block ends
        return self.artifact


class StageCache:
    """Results of stages in `folder`, one folder each; a killed stage leaves a partial one and goes on from there.

    Unfinished work lies in `partials` (None: beside the results). `accept` looks at a result before it is kept.
    """

    def __init__(
        self, folder: Path, partials: Path | None = None, accept: Callable[[Path], None] = lambda _: None
    ) -> None:
        self.folder = folder
        self._partials = folder if partials is None else partials
        self._accept = accept

    def find(self, call: Call) -> Artifact | None:
        """Return the finished result of a call, if there is one."""
        return self.look_up(call.stage.name, call.key)

    def look_up(self, stage: str, key: Mapping[str, Any]) -> Artifact | None:
        """Return the finished result of a stage under a key (see Call.key), if there is one."""
        digest = digest_of(key)
        folder = self._folder(stage, digest)
        return Artifact(stage, folder, digest) if (folder / RECORD).is_file() else None

    def compute(
        self,
        call: Call,
        *,
        device: str,
        report: Callable[[int, int, str], None],
        extras: Mapping[str, Any] | None = None,
        label_reads: Callable[[], list[dict[str, Any]]] = list,
        on_wait: Callable[[str], None] = lambda _: None,
        refresh: bool = False,
    ) -> Artifact:
        """Run a stage and keep its result; waits when another process is at the same one. See `attempt`.

        Raises RunError naming the stage when its function fails with anything but a UbenchError or an interrupt.
        """
        with self.attempt(
            call.stage.name, call.key, device=device, label_reads=label_reads, on_wait=on_wait, refresh=refresh
        ) as attempt:
            if attempt.artifact is None:
                work = StageWork(attempt.folder, attempt.scratch, stage_seed(call), device, report)
                call_function(call, work, extras or {})
        return attempt.result

    @contextmanager
    def attempt(
        self,
        stage: str,
        key: Mapping[str, Any],
        *,
        device: str,
        label_reads: Callable[[], list[dict[str, Any]]] = list,
        on_wait: Callable[[str], None] = lambda _: None,
        refresh: bool = False,
    ) -> Generator[Attempt]:
        """Hold a stage's lock, give folders to make its result in, and keep what is there when the block ends.

        A result that exists is given instead, unless `refresh` is set. `label_reads` tells afterwards which labels the
        stage read: they are kept with the result, so that a run that takes it from the cache has them in its ledger.
        """
        digest = digest_of(key)
        final = self._folder(stage, digest)
        with hold(final.with_name(final.name + ".lock"), on_wait):
            partial = self._partials / f"{final.name}.partial"
            attempt = Attempt(partial / "result", partial / "scratch")
            if not refresh and (found := self.look_up(stage, key)) is not None:
                attempt.artifact = found
                yield attempt
                return
            shutil.rmtree(attempt.folder, ignore_errors=True)
            with room_on_disk(final.parent):
                make_folder(attempt.folder)
                attempt.scratch.mkdir(exist_ok=True)
            started = time.monotonic()
            yield attempt
            seconds = round(time.monotonic() - started, 3)
            record = {"key": dict(key), "seconds": seconds, "device": device, "label_reads": label_reads()}
            self._keep(attempt.folder, final, record)
            shutil.rmtree(partial)
            attempt.artifact = Artifact(stage, final, digest)

    def _keep(self, result: Path, final: Path, record: Mapping[str, Any]) -> None:
        """Give a result its final name; what was made among other partial work is first moved out of its reach."""
        if self._partials != self.folder:
            aside = final.with_name(final.name + ".new")
            shutil.rmtree(aside, ignore_errors=True)
            result = result.replace(aside)
        self._accept(result)
        write_json(result / RECORD, record)
        sync_tree(result)
        shutil.rmtree(final, ignore_errors=True)
        result.replace(final)
        sync_folder(final.parent)

    def _folder(self, stage: str, digest: str) -> Path:
        return self.folder / f"{stage}-{digest[:24]}"


def read_seconds(artifact: Artifact) -> float:
    """Return how long a stage took when it was computed."""
    return float(_record(artifact)["seconds"])


def read_label_reads(artifact: Artifact) -> list[dict[str, Any]]:
    """Return the label reads that went into a stage's result."""
    return list(_record(artifact)["label_reads"])


def _record(artifact: Artifact) -> dict[str, Any]:
    return json.loads((artifact.folder / RECORD).read_text(encoding="utf-8"))


def _input_digest(value: Input) -> str:
    return value if isinstance(value, str) else value.digest


def stage_seed(call: Call) -> int:
    """Return the seed of a stage: the same for every run with this seed, another one for another stage."""
    seed = call.seed if call.stage.seeded else 0
    return int(digest_of([call.stage.name, seed])[:8], 16)


def call_function(call: Call, work: StageWork, extras: Mapping[str, Any]) -> None:
    """Call a stage's function; raises RunError naming the stage for whatever is no UbenchError."""
    arguments = [work] if call.options is None else [work, call.options]
    try:
        call.stage.function(*arguments, **call.inputs, **extras)
    except UbenchError:
        raise
    except Exception as error:
        failed = RunError(f"stage '{call.stage.name}' failed: {explain_failure(type(error).__name__, error)}")
        raise full_disk(error, work.folder) or failed from error
