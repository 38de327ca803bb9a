"""The stage cache: a stage's result lies in a folder named by the digest of all that it depends on."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from unseg_bench.data.atomic import full_disk, make_folder, room_on_disk, sync_folder, sync_tree, write_json
from unseg_bench.errors import RunError, UbenchError
from unseg_bench.plugins.context import Artifact, Input, Stage
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
        }


class StageCache:
    """Results of stages in `folder`, one folder each; a killed stage leaves a partial one and goes on from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, call: Call) -> Artifact | None:
        """Return the finished result of a call, if there is one."""
        digest = digest_of(call.key)
        folder = self._folder(call.stage.name, digest)
        return Artifact(call.stage.name, folder, digest) if (folder / RECORD).is_file() else None

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
        """Run a stage and keep its result; waits when another process is at the same one.

        `label_reads` tells afterwards which labels the stage read: they are kept with the result, so that a run that
        takes it from the cache has them in its ledger too. `refresh` replaces a result that exists.

        Raises RunError naming the stage when its function fails with anything but a UbenchError or an interrupt.
        """
        digest = digest_of(call.key)
        final = self._folder(call.stage.name, digest)
        with hold(final.with_name(final.name + ".lock"), on_wait):
            if (found := self.find(call)) is not None and not refresh:
                return found
            partial = final.with_name(final.name + ".partial")
            work = StageWork(partial / "result", partial / "scratch", _stage_seed(call), device, report)
            shutil.rmtree(work.folder, ignore_errors=True)
            with room_on_disk(final.parent):
                make_folder(work.folder)
                work.scratch.mkdir(exist_ok=True)
            started = time.monotonic()
            _call_function(call, work, extras or {})
            seconds = round(time.monotonic() - started, 3)
            record = {"key": call.key, "seconds": seconds, "device": device, "label_reads": label_reads()}
            write_json(work.folder / RECORD, record)
            sync_tree(work.folder)
            shutil.rmtree(final, ignore_errors=True)
            work.folder.replace(final)
            sync_folder(final.parent)
            shutil.rmtree(partial)
        return Artifact(call.stage.name, final, digest)

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


def _stage_seed(call: Call) -> int:
    seed = call.seed if call.stage.seeded else 0
    return int(digest_of([call.stage.name, seed])[:8], 16)


def _call_function(call: Call, work: StageWork, extras: Mapping[str, Any]) -> None:
    arguments = [work] if call.options is None else [work, call.options]
    try:
        call.stage.function(*arguments, **call.inputs, **extras)
    except UbenchError:
        raise
    except Exception as error:
        failed = RunError(f"stage '{call.stage.name}' failed: {type(error).__name__}: {error}")
        raise full_disk(error, work.folder) or failed from error
