"""Cases that cannot be read or segmented: written down, and the others go on."""

from collections.abc import Callable

from unseg_bench.errors import RunError, UbenchError
from unseg_bench.plugins.determinism import explain_failure
from unseg_bench.run.plan import RunPlan
from unseg_bench.sandbox.wire import kind_of


class Failures:
    """The failed cases of a run and why, in run.json (`failed_cases`) at once. With `strict` the first one ends it."""

    def __init__(self, plan: RunPlan, *, strict: bool) -> None:
        self._plan, self._strict = plan, strict
        self._reasons: dict[str, str] = {}
        self._first: Exception | None = None
        plan.folder.update({"failed_cases": {}})

    def add(self, case_id: str, error: Exception, restore: Callable[[str], str] = str) -> None:
        """Write a case down and why, with ids that `restore` makes real; raises RunError where the run is strict."""
        self._reasons[case_id] = restore(explain_failure(kind_of(error), error))
        self._first = self._first or error
        self._plan.folder.log("case failed", {"case": case_id, "error": self._reasons[case_id]})
        self._plan.folder.update({"failed_cases": self._reasons})
        if self._strict:
            raise RunError(f"{self._plan.title}: case {case_id} failed ({self._reasons[case_id]}); --strict ends here")

    def require_some(self) -> None:
        """Raise what was wrong with the first case when no case of the run is left."""
        if len(self._reasons) < len(self._plan.case_ids) or self._first is None:
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
