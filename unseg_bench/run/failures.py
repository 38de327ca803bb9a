"""Cases that cannot be read or segmented: written down, and the others go on."""

from unseg_bench.data.cohort import Cohort
from unseg_bench.errors import RunError, UbenchError
from unseg_bench.run.determinism import explain_failure
from unseg_bench.run.plan import RunPlan
from unseg_bench.sandbox.wire import Thrown


class Failures:
    """The failed cases of a run and why, in run.json (`failed_cases`) at once. With `strict` the first one ends it."""

    def __init__(self, plan: RunPlan, *, strict: bool) -> None:
        self._plan, self._strict = plan, strict
        self._reasons: dict[str, str] = {}
        self._first: Exception | None = None
        plan.folder.update({"failed_cases": {}})

    def add(self, case_id: str, error: Exception) -> None:
        """Write a case down with its reason; raises RunError where the run is strict."""
        kind = error.kind if isinstance(error, Thrown) else type(error).__name__
        self._reasons[case_id] = explain_failure(kind, error)
        self._first = self._first or error
        self._plan.folder.log("case failed", {"case": case_id, "error": self._reasons[case_id]})
        self._plan.folder.update({"failed_cases": self._reasons})
        if self._strict:
            raise RunError(f"{self._plan.title}: case {case_id} failed ({self._reasons[case_id]}); --strict ends here")

    def require_some(self, cases: Cohort) -> None:
        """Raise what was wrong with the first case when no case of the run is left."""
        if any(case_id not in self._reasons for case_id in cases.case_ids) or self._first is None:
            return
        if isinstance(self._first, UbenchError):
            raise self._first
        raise RunError(failed_text(self._plan.title, self._reasons, len(self._plan.case_ids))) from self._first


def failed_text(title: str, failed: dict[str, str], cases: int) -> str:
    """Say how many cases failed, the first one and its reason, and how to try again."""
    case_id, reason = next(iter(failed.items()))
    return (
        f"{title}: {len(failed)} of {cases} cases failed, first {case_id} ({reason}); "
        "the same command tries those again"
    )
