"""Who runs a method's `fit` and `segment`: this process, or a sealed one (`run.sealed.performer`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask
from unseg_bench.errors import RunError, UbenchError
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.method import Method
from unseg_bench.run.determinism import explain_failure
from unseg_bench.run.opened import Opened, watch

if TYPE_CHECKING:
    from unseg_bench.run.plan import RunPlan


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a run: cohorts to learn from (empty where nothing is learned), and the one to segment."""

    training: Cohort
    validation: Cohort
    test: Cohort


class Performer(Protocol):
    """Runs one method."""

    def fit(self) -> None:
        """Learn; raises RunError or whatever UbenchError came up."""
        ...

    def expect(self) -> None:
        """Tell the method of the cases to come; raises what the method raises."""
        ...

    def segment(self, case_id: str) -> Mask:
        """Return a mask of the prepared volume's shape; raises what the method raises."""
        ...

    def evidence(self) -> dict[str, Any]:
        """What is known of the method's access to labels so far, for run.json."""
        ...


class InProcess:
    """Runs the method here. Of one that declares no supervision, every file that it opens is written down."""

    def __init__(self, plan: "RunPlan", method: Method, images: Images, context: Context, reason: str) -> None:
        """`reason` says why the method is not sealed."""
        self._plan, self._method, self._images, self._context, self._reason = plan, method, images, context, reason
        self._opened = Opened() if plan.method.supervision is Supervision.NONE else None

    def fit(self) -> None:
        """Call the method's `fit`."""
        self._call("fit", self._images.training, self._images.validation)

    def expect(self) -> None:
        """Call the method's `expect`."""
        self._call("expect", self._images.test)

    def segment(self, case_id: str) -> Mask:
        """Call the method's `segment`."""
        with watch(self._opened):
            mask = self._method.segment(self._images.test[case_id], self._context)
        shape = self._images.test[case_id].shape
        if (found := unlike_mask(mask, shape)) is not None:
            raise wrong_mask(self._plan.method.name, shape, found)
        return mask

    def evidence(self) -> dict[str, Any]:
        """Say that nothing was enforced, why, and which reference files were opened all the same."""
        seal: dict[str, Any] = {"mode": "ledger", "reason": self._reason}
        if self._opened is not None:
            seal |= self._opened.report(self._plan)
        return seal

    def _call(self, what: Literal["fit", "expect"], *cohorts: Cohort) -> None:
        try:
            with watch(self._opened):
                getattr(self._method, what)(*cohorts, self._context)
        except UbenchError:
            raise
        except Exception as error:
            raise call_failed(self._plan.title, what, type(error).__name__, error) from error


def call_failed(title: str, what: str, kind: str, error: Exception) -> RunError:
    """Return the error of a `fit` or `expect` that raised something of type `kind`."""
    return RunError(f"{title}: {what} failed with {explain_failure(kind, error)}")


def unlike_mask(mask: object, shape: tuple[int, ...] | None) -> str | None:
    """Say what a method returned where that is no bool array (of this shape, unless it is None); None: it is one."""
    if not isinstance(mask, np.ndarray):
        return type(mask).__name__
    if mask.dtype == np.bool_ and shape in {None, mask.shape}:
        return None
    return f"{mask.dtype} of shape {mask.shape}"


def wrong_mask(name: str, shape: tuple[int, ...], found: str) -> RunError:
    """Return the error of a `segment` that returned something else than a mask."""
    return RunError(f"{name}.segment must return a bool array of shape {shape}, not {found}")
