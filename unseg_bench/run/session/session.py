"""Opens the session of a run: who calls a method's `fit` and `segment`, and where."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.store import PreparedCase
from unseg_bench.data.volume import Mask
from unseg_bench.plugins.explain import Explanation
from unseg_bench.plugins.history import LEDGER
from unseg_bench.run.host import RunHost
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.session.local import LocalSession
from unseg_bench.run.session.sandboxed import SandboxSession

OpenCase: TypeAlias = Callable[[str], PreparedCase]
"""The name under which the method sees a case -> the case."""


class Session(Protocol):
    """One method at work. Cases have the names under which the method sees them; what the method raises is raised."""

    def fit(self, training: Cohort, validation: Cohort) -> None:
        """Learn; raises RunError or whatever UbenchError came up."""
        ...

    def expect(self, cases: Cohort) -> None:
        """Tell the method of the cases to come."""
        ...

    def segment(self, cases: Cohort, case_id: str) -> Mask:
        """Return a mask of the prepared volume's shape."""
        ...

    def explain(self, cases: Cohort, case_id: str) -> Explanation | None:
        """Return the steps to the answer, checked; None where the method has none."""
        ...

    def evidence(self) -> dict[str, Any]:
        """What is known of the method's access to labels so far, for run.json."""
        ...


@contextmanager
def open_session(plan: RunPlan, host: RunHost, mode: str, reason: str, open_case: OpenCase) -> Generator[Session]:
    """Give the session of a run in a mode (see `seal.mode_of`); raises RunError where it cannot be had."""
    if mode == LEDGER:
        try:
            yield LocalSession(plan, host, reason)
        finally:
            host.close()
    else:
        with SandboxSession(plan, host, mode, reason, open_case) as session:
            yield session
