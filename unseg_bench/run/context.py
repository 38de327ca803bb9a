"""The context of a real run: stages go to the cache, label reads to the ledger, progress to the reporter."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelDoor
from unseg_bench.plugins.context import Artifact, Input, Stage
from unseg_bench.run.device import pick_device
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.progress import Reporter
from unseg_bench.run.stages import Call, StageCache, read_label_reads, read_seconds


class RunContext:
    """What the runner hands to `fit` and `segment` (see `unseg_bench.plugins.context.Context`)."""

    def __init__(
        self,
        *,
        folder: RunFolder,
        seed: int,
        device: str,
        offline: bool,
        cache: StageCache,
        labels: LabelDoor,
        ledger: Ledger,
        healthy: Callable[[], Cohort],
        reporter: Reporter,
        refresh: bool = False,
    ) -> None:
        """`healthy` is called at each use; `refresh` computes stages again that the cache has."""
        self.seed = seed
        self.offline = offline
        self.labels = labels
        self._folder, self._cache, self._ledger, self._reporter = folder, cache, ledger, reporter
        self._device_asked, self._healthy, self._refresh = device, healthy, refresh
        self._done: set[str] = set()

    @property
    def device(self) -> str:
        """Torch's name of the device; 'auto' takes a GPU where there is one."""
        return pick_device(self._device_asked)

    @property
    def healthy(self) -> Cohort:
        """Volumes that the data set declares free of tumour."""
        return self._healthy()

    def run(
        self, step: Stage, options: BaseModel | None = None, *, extras: Mapping[str, Any] | None = None, **inputs: Input
    ) -> Artifact:
        """Run a stage, or take its result from the cache; raises RunError naming the stage when it fails."""
        call = Call(step, options, inputs, self.seed)
        found = self._cache.find(call)
        again = self._refresh and found is not None and found.digest not in self._done
        if found is not None and not again:
            self._ledger.add_all(read_label_reads(found))
            self._reporter.stage_ends(step.name, read_seconds(found), cached=True)
            self._log_stage(found, 0.0, cached=True)
            return found
        self._reporter.stage_begins(step.name)
        started, reads_before = time.monotonic(), len(self._ledger)
        artifact = self._cache.compute(
            call,
            device=self.device,
            report=self._reporter.step,
            extras=extras,
            label_reads=lambda: self._ledger.since(reads_before),
            on_wait=self._reporter.message,
            refresh=again,
        )
        self._done.add(artifact.digest)
        seconds = time.monotonic() - started
        self._reporter.stage_ends(step.name, seconds, cached=False)
        self._log_stage(artifact, seconds, cached=False)
        return artifact

    def record_weights(self, name: str, sha256: str) -> None:
        """Write into run.json which pretrained weights were used."""
        known: dict[str, str] = self._folder.record.get("weights", {})
        if known.get(name) != sha256:
            self._folder.update({"weights": {**known, name: sha256}})

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Write a line to the run's log.jsonl."""
        self._folder.log(event, values)

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are finished."""
        self._reporter.step(done, total, note)

    def _log_stage(self, artifact: Artifact, seconds: float, *, cached: bool) -> None:
        values = {"stage": artifact.stage, "digest": artifact.digest, "seconds": round(seconds, 3), "cached": cached}
        self._folder.log("stage", values)
