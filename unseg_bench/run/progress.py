"""Where a run tells how far it is; the command line shows it, a test can ignore it."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol


class Reporter(Protocol):
    """Hears of stages and steps. `stage` is a short name such as 'classifier'; a cached stage costs nothing."""

    def run_begins(self, title: str) -> None:
        """A run (one method and seed) begins."""
        ...

    def stage_begins(self, stage: str) -> None:
        """A stage begins to compute."""
        ...

    def step(self, done: int, total: int, note: str) -> None:
        """`done` of `total` steps of the current stage are finished."""
        ...

    def stage_ends(self, stage: str, seconds: float, cached: bool) -> None:
        """A stage is done, or was taken from the cache."""
        ...

    def message(self, text: str) -> None:
        """Something worth a line of its own."""
        ...


@contextmanager
def timed_stage(reporter: Reporter, name: str) -> Generator[None]:
    """Tell of a stage that is the block; of one that fails, the beginning alone."""
    reporter.stage_begins(name)
    started = time.monotonic()
    yield
    reporter.stage_ends(name, time.monotonic() - started, cached=False)
