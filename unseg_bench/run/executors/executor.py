"""The role of an executor: plans in, outcomes out, in the order of the plans."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from unseg_bench.run.plan import RunPlan
from unseg_bench.run.progress import Reporter

OutcomeT = TypeVar("OutcomeT")
Outcome_co = TypeVar("Outcome_co", covariant=True)


class Task(Protocol[Outcome_co]):
    """What is done with each plan. It holds values alone, so that it can be sent to another process."""

    def __call__(self, plan: RunPlan, reporter: Reporter) -> Outcome_co:
        """Do it; how far it is goes to `reporter`. An error is part of the outcome."""
        ...


class Executor(Protocol):
    """Does the same work with many plans."""

    def run(self, plans: Sequence[RunPlan], work: Task[OutcomeT]) -> Iterator[OutcomeT]:
        """Yield what becomes of each plan, in order; who stops asking stops the rest."""
        ...
