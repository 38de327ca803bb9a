"""Where a run tells how far it is; the command line shows it, a test can ignore it."""

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


class Hushable:
    """Passes everything on to `reporter`, but for stages that run inside another one while it is hushed.

    A method may run stages in `segment`, a few for every case: the bar of the cases is what people want to see then.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._hushed = self._inside = False

    @contextmanager
    def hushed(self) -> Generator[None]:
        """Tell of no stage that begins and ends inside the block."""
        self._hushed = True
        try:
            yield
        finally:
            self._hushed = self._inside = False

    def run_begins(self, title: str) -> None:
        """Pass it on."""
        self._reporter.run_begins(title)

    def stage_begins(self, stage: str) -> None:
        """Pass it on unless hushed."""
        if self._hushed:
            self._inside = True
        else:
            self._reporter.stage_begins(stage)

    def step(self, done: int, total: int, note: str) -> None:
        """Pass it on unless it is one of a stage that was not told of."""
        if not self._inside:
            self._reporter.step(done, total, note)

    def stage_ends(self, stage: str, seconds: float, cached: bool) -> None:
        """Pass it on unless hushed."""
        if self._hushed:
            self._inside = False
        else:
            self._reporter.stage_ends(stage, seconds, cached)

    def message(self, text: str) -> None:
        """Pass it on."""
        self._reporter.message(text)
