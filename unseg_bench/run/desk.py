"""Where a run's stages are asked for: looked up or made, told to the reporter, the ledger and the log."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unseg_bench.plugins.context import Artifact
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.progress import Reporter
from unseg_bench.run.stages import Attempt, StageCache, read_label_reads, read_seconds


class StageDesk:
    """The stages of one run.

    `refresh`: make each stage once more although the cache has it, but for results in these folders; those that are
    made join them. None: take what the cache has.
    """

    def __init__(
        self,
        cache: StageCache,
        folder: RunFolder,
        ledger: Ledger,
        reporter: Reporter,
        *,
        refresh: set[Path] | None = None,
    ) -> None:
        self._cache, self._folder, self._ledger, self._reporter = cache, folder, ledger, reporter
        self._refresh = refresh
        self._being_made = 0

    @property
    def busy(self) -> bool:
        """Whether a stage is being made."""
        return self._being_made > 0

    @contextmanager
    def attempt(self, stage: str, key: Mapping[str, Any], device: Callable[[], str]) -> Generator[Attempt]:
        """Give a stage's result, or folders to make it in (see StageCache.attempt); `device` is where it is made."""
        found = self._cache.look_up(stage, key)
        again = self._refresh is not None and found is not None and found.folder not in self._refresh
        if found is not None and not again:
            self._ledger.add_all(read_label_reads(found))
            self._reporter.stage_ends(stage, read_seconds(found), cached=True)
            self._log(found, 0.0, cached=True)
            yield Attempt(found.folder, found.folder, found)
            return
        self._reporter.stage_begins(stage)
        started, reads_before = time.monotonic(), len(self._ledger)
        with self._cache.attempt(
            stage,
            key,
            device=device(),
            label_reads=lambda: self._ledger.since(reads_before),
            on_wait=self._reporter.message,
            refresh=again,
        ) as attempt:
            self._being_made += 1
            try:
                yield attempt
            finally:
                self._being_made -= 1
        # Another process may have made it while this one waited: then its reads are this run's too.
        self._ledger.add_all(read_label_reads(attempt.result))
        if self._refresh is not None:
            self._refresh.add(attempt.result.folder)
        seconds = time.monotonic() - started
        self._reporter.stage_ends(stage, seconds, cached=False)
        self._log(attempt.result, seconds, cached=False)

    def _log(self, artifact: Artifact, seconds: float, *, cached: bool) -> None:
        values = {"stage": artifact.stage, "digest": artifact.digest, "seconds": round(seconds, 3), "cached": cached}
        self._folder.log("stage", values)


def record_weights(folder: RunFolder, name: str, sha256: str) -> None:
    """Write into run.json which pretrained weights were used."""
    known: dict[str, str] = folder.record.get("weights", {})
    if known.get(name) != sha256:
        folder.update({"weights": {**known, name: sha256}})
