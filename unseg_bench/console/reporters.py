"""How a run tells how far it is: a live bar in a terminal, plain lines elsewhere. Both write to stderr."""

import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from unseg_bench.console.streams import stderr, warn
from unseg_bench.data.visible import visible
from unseg_bench.words import seconds_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 10.0


def make_reporter() -> "LiveReporter | PlainReporter":
    """Return the live reporter where stderr is a terminal, else the plain one."""
    return LiveReporter() if sys.stderr.isatty() else PlainReporter()


@dataclass(slots=True)
class OpenStage:
    """A stage at work: when it began and was last told of, and the first step that was seen of it.

    A stage that goes on after a crash begins with a high step, so time left is judged from the first step on.
    """

    name: str
    told: float = field(default_factory=time.monotonic)
    first_step: int | None = None
    first_at: float = 0.0

    def left(self, done: int, total: int) -> str:
        """Return '2 min 05 s left', or nothing while it cannot be told."""
        now = time.monotonic()
        if self.first_step is None:
            self.first_step, self.first_at = done, now
        if done <= self.first_step or done >= total:
            return ""
        return f"{seconds_text((now - self.first_at) / (done - self.first_step) * (total - done))} left"


class LiveReporter:
    """Finished stages as a list, the current one below it with a bar, its step and the time left.

    Use it as a context manager, so that the bar goes away when a run fails.
    """

    def __init__(self) -> None:
        self._console = stderr()
        self._progress = _bars(self._console)
        self._open: list[tuple[OpenStage, TaskID]] = []
        self._shown: set[str] = set()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._progress.stop()

    def run_begins(self, title: str) -> None:
        """Print the title."""
        self._shown.clear()
        self._console.print(title, style="bold")

    def stage_begins(self, stage: str) -> None:
        """Show a bar."""
        self._open.append((OpenStage(stage), self._progress.add_task(visible(stage), total=None, note="", left="")))

    def step(self, done: int, total: int, note: str) -> None:
        """Move the bar of the stage that began last."""
        if self._open:
            stage, task = self._open[-1]
            self._progress.update(task, completed=done, total=total, note=visible(note), left=stage.left(done, total))

    def stage_ends(self, stage: str, seconds: float, cached: bool) -> None:
        """Turn the bar into a line; a cached stage that is only looked up again is not worth one."""
        self._close(stage)
        if cached and (self._open or stage in self._shown):
            return
        self._shown.add(stage)
        from unseg_bench.console.plain import styled

        took = seconds_text(seconds)
        time_text = (f"kept from before ({took})", "dim") if cached else took
        self._console.print(styled("  ", ("✓", "green"), f" {stage:<20} ", time_text))

    def message(self, text: str) -> None:
        """Print a line."""
        self._console.print(f"  {text}")

    def _close(self, stage: str) -> None:
        for opened in [pair for pair in self._open if pair[0].name == stage]:
            self._open.remove(opened)
            self._progress.remove_task(opened[1])


class PlainReporter:
    """One line when a stage begins, one when it ends, one every ten seconds between."""

    def __init__(self, seconds_between_lines: float = SECONDS_BETWEEN_LINES) -> None:
        self._between = seconds_between_lines
        self._open: list[OpenStage] = []
        self._shown: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._open.clear()

    def run_begins(self, title: str) -> None:
        """Print the title."""
        self._shown.clear()
        warn(title)

    def stage_begins(self, stage: str) -> None:
        """Print that it begins."""
        self._open.append(OpenStage(stage))
        warn(f"  {stage} ...")

    def step(self, done: int, total: int, note: str) -> None:
        """Print how far the stage is, unless that was said a moment ago."""
        if not self._open:
            return
        stage, now = self._open[-1], time.monotonic()
        left = stage.left(done, total)
        if now - stage.told < self._between:
            return
        stage.told = now
        warn(f"  {stage.name} {done}/{total}" + "".join(f", {text}" for text in (note, left) if text))

    def stage_ends(self, stage: str, seconds: float, cached: bool) -> None:
        """Print that it is done; a cached stage that is only looked up again is not worth a line."""
        self._open = [one for one in self._open if one.name != stage]
        if cached and (self._open or stage in self._shown):
            return
        self._shown.add(stage)
        warn(f"  {stage} {'kept from before' if cached else 'done'} ({seconds_text(seconds)})")

    def message(self, text: str) -> None:
        """Print a line."""
        warn(f"  {text}")


def _bars(console: object) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
    from rich.table import Column

    assert isinstance(console, Console)  # noqa: S101 - rich is imported late, so the type is only known here
    return Progress(
        TextColumn(" "),
        SpinnerColumn(),
        TextColumn("{task.description:<20}", markup=False),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}", markup=False, table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[note]}", style="dim", markup=False, table_column=Column(no_wrap=True, ratio=1)),
        console=console,
        expand=True,
        transient=True,
    )
