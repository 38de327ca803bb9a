"""A rehearsal of `fit`: which stages a run would compute and which are kept, told from their keys alone."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import WeightsError
from unseg_bench.plugins.context import Artifact, Input, Stage
from unseg_bench.plugins.handover import outside_segment
from unseg_bench.run.determinism import deterministic
from unseg_bench.run.digests import digest_of
from unseg_bench.run.folder import find_runs
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.sealed.inspection import load_method
from unseg_bench.run.sealed.sealing import obstacle, owner_of
from unseg_bench.run.sealed.understudy import Understudy
from unseg_bench.run.stages import Call, StageCache
from unseg_bench.sandbox.process import NotSealed
from unseg_bench.sandbox.wire import Thrown

_NOBODY = Cohort("", [], lambda case_id: _stop("")).digest


@dataclass(frozen=True, slots=True)
class StageCall:
    """One stage that a run asks for. `digest` names its result, `options` are as in its key; cached: it is there."""

    name: str
    digest: str
    options: object
    cached: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The stages of one run in order, and what is left to segment.

    `beyond`: why more stages may follow that are not known before it runs (None: these are all). `error`: what `fit`
    raises although all its stages are there; then the run would fail.
    """

    plan: RunPlan
    stages: tuple[StageCall, ...] = ()
    beyond: str | None = None
    error: str | None = None

    @property
    def to_segment(self) -> int:
        """How many cases have no prediction yet."""
        return sum(not self.plan.is_segmented(case_id) for case_id in self.plan.case_ids)


def rehearse_all(plans: Sequence[RunPlan]) -> list[Rehearsal]:
    """Rehearse every run; nothing is computed, prepared, fetched or kept.

    A method whose run would be sealed is rehearsed sealed, one process a method. The images are known by the digests in
    the records of earlier runs on the same data; without such a run their digests cannot be known, and every stage is
    to do.
    """
    records = [run.record for folder in {plan.folder.path.parents[1] for plan in plans} for run in find_runs(folder)]
    with ExitStack() as stack:
        understudies: dict[str, Understudy | None] = {}
        return [_rehearse(plan, _known_digests(plan, records), understudies, stack) for plan in plans]


def _rehearse(
    plan: RunPlan, known: Mapping[str, str], understudies: dict[str, Understudy | None], stack: ExitStack
) -> Rehearsal:
    if not plan.method.learns or plan.is_done:
        return Rehearsal(plan)
    if obstacle(plan.method.supervision, plan.settings.sealed) is None:
        name = f"{owner_of(plan)} {plan.method.name}"
        if name not in understudies:
            understudies[name] = _engage(plan, stack)
        if (understudy := understudies[name]) is not None:
            return _rehearse_sealed(plan, known, understudy)
    return _rehearse_here(plan, known)


def _engage(plan: RunPlan, stack: ExitStack) -> Understudy | None:
    """Return the sealed process for a method, None where its runs cannot be sealed either."""
    try:
        return stack.enter_context(Understudy(plan))
    except NotSealed:
        return None


def _rehearse_sealed(plan: RunPlan, known: Mapping[str, str], understudy: Understudy) -> Rehearsal:
    healthy = plan.dataset.healthy()
    parts = {"train": plan.learned_from("train"), "valid": plan.learned_from("valid"), "healthy": healthy}
    raised: Exception | None = None
    try:
        understudy.fit(plan, {name: _cohort(name, case_ids, known) for name, case_ids in parts.items()})
    except Exception as error:  # noqa: BLE001 - a method may raise anything when a result is not there yet
        raised = error
    stages = tuple(
        StageCall(str(key["stage"]), digest_of(key), key["options"], cached) for key, cached in understudy.asked
    )
    return _judged(plan, stages, understudy.refused, raised)


def _rehearse_here(plan: RunPlan, known: Mapping[str, str]) -> Rehearsal:
    """Rehearse in this process, which is where the run would work too."""
    method = plan.loaded or load_method(plan.method.where)
    context = _Context(plan, known)
    training, validation = (_cohort(part, plan.learned_from(part), known) for part in ("train", "valid"))
    refused, raised = None, None
    try:
        with deterministic(plan.settings.deterministic):
            method(method.Options.model_validate(plan.method.options)).fit(training, validation, context)
    except _Stop as stop:
        refused = str(stop)
    except Exception as error:  # noqa: BLE001 - a method may raise anything when a result is not there yet
        raised = error
    return _judged(plan, tuple(context.stages), refused, raised)


def _judged(plan: RunPlan, stages: tuple[StageCall, ...], refused: str | None, raised: Exception | None) -> Rehearsal:
    """Tell an error that the run would have from one that only the rehearsal has."""
    if refused is not None or raised is None:
        return Rehearsal(plan, stages, beyond=refused)
    if not all(stage.cached for stage in stages):
        return Rehearsal(plan, stages, beyond="it reads a result that is not there yet")
    if isinstance(raised, WeightsError):
        return Rehearsal(plan, stages, beyond="it needs pretrained weights that are not here yet")
    kind = raised.kind if isinstance(raised, Thrown) else type(raised).__name__
    return Rehearsal(plan, stages, error=f"{kind}: {raised}")


def _cohort(name: str, case_ids: Sequence[str], known: Mapping[str, str]) -> Cohort:
    """Return a cohort that cannot be opened; where its digest is not known it has one that nothing else has."""

    def load(case_id: str) -> Volume:
        _stop("it opens images before a stage")

    cohort = Cohort(name, [(case_id, "not prepared") for case_id in case_ids], load)
    if case_ids:
        cohort.digest = known.get(name, cohort.digest)
    return cohort


def _known_digests(plan: RunPlan, records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the digests of the plan's cohorts by part, from the newest run on the same images that has them."""
    known: dict[str, str] = {}
    for record in records:
        content: Mapping[str, str] = record.get("content", {})
        images: Mapping[str, str] = record.get("images", {})
        same = {part for part, digest in content.items() if digest == plan.inputs.content.get(part)}
        known |= {part: digest for part, digest in images.items() if part in same and digest != _NOBODY}
    return known


class _Stop(BaseException):  # so that no method's `except Exception` swallows it
    """The rehearsal ends here; the message says why nothing beyond is known."""


def _stop(why: str) -> NoReturn:
    raise _Stop(why)


class _Labels:
    """The door to labels: a rehearsal reads none."""

    def mask(self, case_id: str, purpose: str) -> Mask:
        """End the rehearsal."""
        _stop(f"it reads labels ({purpose})")

    def slice_labels(self, case_id: str, purpose: str) -> NDArray[np.bool_]:
        """End the rehearsal."""
        _stop(f"it reads labels ({purpose})")


@dataclass
class _Context:
    """The Context of a rehearsal in this process: stages are looked up, nothing is opened, nothing is fetched."""

    plan: RunPlan
    known: Mapping[str, str]
    stages: list[StageCall] = field(default_factory=list[StageCall])
    offline: bool = True
    device: str = "cpu"
    labels: _Labels = field(default_factory=_Labels)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.plan.seed

    @property
    def healthy(self) -> Cohort:
        """The data set's healthy cases, which cannot be opened."""
        return _cohort("healthy", self.plan.dataset.healthy(), self.known)

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """End the rehearsal."""
        _stop(f"it reads masks of {source}")

    def run(
        self, step: Stage, options: BaseModel | None = None, *, extras: Mapping[str, Any] | None = None, **inputs: Input
    ) -> Artifact:
        """Name the result that the stage would have, and note whether it is there."""
        key = Call(step, options, inputs, self.seed).key
        cache = StageCache(cache_dir() / "stages")
        found = cache.look_up(step.name, key)
        digest = digest_of(key)
        self.stages.append(StageCall(step.name, digest, key["options"], found is not None))
        return found or Artifact(step.name, cache.folder / "not-there-yet" / digest, digest)

    def record_weights(self, name: str, sha256: str) -> None:
        """Write nothing."""

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Write nothing."""

    def table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write nothing."""

    def keep_map(self, volume: Volume, scores: Image) -> None:
        """Raise RunError: a rehearsal never segments."""
        raise outside_segment("keep_map")

    def alternative(self, volume: Volume, name: str, mask: Mask) -> None:
        """Raise RunError: a rehearsal never segments."""
        raise outside_segment(f"alternative {name!r}")

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Show nothing."""
