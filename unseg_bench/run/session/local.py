"""A session in the harness's own process: of an installed method that is not sealed."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal, Self

from unseg_bench.blocks.weights import find_through
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Mask
from unseg_bench.errors import UbenchError
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.determinism import call_failed, deterministic
from unseg_bench.plugins.device import peak_memory
from unseg_bench.plugins.explain import Explanation, checked
from unseg_bench.plugins.history import LEDGER
from unseg_bench.plugins.method import Method
from unseg_bench.plugins.outputs import unlike_mask, wrong_mask
from unseg_bench.run.host import RunHost
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.watch import Opened, watch


class LocalSession:
    """Calls the method here; its context asks the host directly. Every file that the method opens is written down."""

    def __init__(self, plan: RunPlan, host: RunHost, reason: str) -> None:
        """`reason` says why the method is not sealed."""
        assert plan.loaded is not None  # noqa: S101 - a file's method never works here
        self._plan, self._host, self._reason = plan, host, reason
        self._method: Method = plan.loaded(plan.options)
        self._context = Context(host)
        self._opened = Opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._host.close()

    def fit(self, training: Cohort, validation: Cohort) -> None:
        """Call the method's `fit`; raises RunError or whatever UbenchError came up."""
        self._learn("fit", training, validation)

    def expect(self, cases: Cohort) -> None:
        """Call the method's `expect`."""
        self._learn("expect", cases)

    def segment(self, cases: Cohort, case_id: str) -> Mask:
        """Call the method's `segment`; returns a mask of the prepared volume's shape."""
        volume = cases[case_id]
        with self._inside():
            mask: Any = self._method.segment(volume, self._context)
        if (found := unlike_mask(mask, volume.shape)) is not None:
            raise wrong_mask(self._plan.method.name, volume.shape, found)
        return mask

    def explain(self, cases: Cohort, case_id: str) -> Explanation | None:
        """Call the method's `explain`; returns the steps to the answer, checked; None where the method has none."""
        volume = cases[case_id]
        with self._inside():
            found = self._method.explain(volume, self._context)
        return None if found is None else checked(found, volume, self._method.name)

    def evidence(self) -> dict[str, Any]:
        """Say that nothing was enforced, why, and which files of the data set were opened all the same."""
        return {"mode": LEDGER, "reason": self._reason, **self._opened.report(self._plan)}

    def peak_memory(self) -> dict[str, int]:
        """The most memory that this process has held, in bytes."""
        return peak_memory(self._host.device)

    def _learn(self, what: Literal["fit", "expect"], *cohorts: Cohort) -> None:
        try:
            with self._inside():
                getattr(self._method, what)(*cohorts, self._context)
        except UbenchError:
            raise
        except Exception as error:
            raise call_failed(self._plan.title, what, type(error).__name__, error) from error

    @contextmanager
    def _inside(self) -> Generator[None]:
        with deterministic(self._plan.settings.deterministic), watch(self._opened), find_through(self._host.weights):
            yield
