"""One run after the other, in this process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from unseg_bench.run.executors.executor import OutcomeT, Task
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.progress import Reporter


class Serial:
    """The executor of one machine; `open_reporter`: where each run tells how far it is."""

    def __init__(self, open_reporter: Callable[[], AbstractContextManager[Reporter]]) -> None:
        self._open_reporter = open_reporter

    def run(self, plans: Sequence[RunPlan], work: Task[OutcomeT]) -> Iterator[OutcomeT]:
        """Yield what becomes of each plan; the next one begins when it is asked for."""
        for plan in plans:
            with self._open_reporter() as reporter:
                outcome = work(plan, reporter)
            yield outcome
