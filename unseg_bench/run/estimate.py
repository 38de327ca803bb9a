"""What plans will take, in time and room on disk: as it was here before, else computed from what a method says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from unseg_bench.blocks.weights import missing_weights
from unseg_bench.plugins.cost import CaseCounts, Cost
from unseg_bench.plugins.digests import digest_of
from unseg_bench.run.dry_run import DryRun, StageCall, dry_run_all
from unseg_bench.run.folder import RunFolder, find_runs
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.taken_before import case_seconds, machine_of, read_times, stage_seconds

Basis: TypeAlias = Literal["measured", "computed", "unknown"]
"""Where an estimate comes from: earlier results on the same images; arithmetic; nowhere."""

_PREPARED_BYTES = 17e6
"""A case of BraTS's size once it is prepared: image and brain in the brain's box."""


@dataclass(frozen=True, slots=True)
class StageTask:
    """One stage that runs need. runs: their folders; seconds: an estimate where it is to do, None where there is none.

    basis: of the time; gpu_seconds: the time computed for one GPU; bytes: what it writes, as computed.
    """

    method: str
    stage: str
    digest: str
    cached: bool
    runs: tuple[str, ...]
    seconds: float | None
    basis: Basis = "unknown"
    gpu_seconds: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """The cases that one run has to segment. seconds and the others: as of a StageTask."""

    run: str
    method: str
    cases: int
    seconds: float | None
    basis: Basis = "unknown"
    gpu_seconds: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Workload:
    """All that runs need, what they share once. `beyond`: run -> why more stages may follow; `errors`: run -> error.

    seconds: the sum of the estimates; unknown: how many tasks are in it without one. `prepared_bytes`: of the images.
    `missing`: weights that are not here -> bytes, 0 where the size is not known.
    """

    stages: tuple[StageTask, ...]
    segments: tuple[SegmentTask, ...]
    beyond: Mapping[str, str]
    errors: Mapping[str, str]
    prepared_bytes: float = 0.0
    missing: Mapping[str, int] | None = None

    @property
    def tasks(self) -> tuple[StageTask | SegmentTask, ...]:
        """Stages and segmentations."""
        return (*self.stages, *self.segments)

    @property
    def seconds(self) -> float:
        """Sum of all estimates."""
        return sum(task.seconds or 0.0 for task in self.tasks)

    @property
    def unknown(self) -> int:
        """How many stages and segmentations to do have no estimate."""
        return sum(task.seconds is None for task in self.tasks)

    @property
    def computed(self) -> float:
        """The part of `seconds` that is computed and not measured."""
        return sum(task.seconds or 0.0 for task in self.tasks if task.basis == "computed")

    @property
    def gpu_seconds(self) -> float:
        """What the computed part would take on one GPU."""
        return sum(task.gpu_seconds for task in self.tasks if task.basis == "computed")

    @property
    def bytes(self) -> float:
        """What is written below the cache, weights included."""
        written = sum(task.bytes for task in self.tasks)
        return written + self.prepared_bytes + sum((self.missing or {}).values())

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "stages": [asdict(task) for task in self.stages],
            "segment": [asdict(task) for task in self.segments],
            "seconds": self.seconds,
            "computed_seconds": self.computed,
            "computed_seconds_on_one_gpu": self.gpu_seconds,
            "bytes": self.bytes,
            "missing_weights": dict(self.missing or {}),
            "without_estimate": self.unknown,
            "more_stages_may_follow": dict(self.beyond),
            "would_fail": dict(self.errors),
        }


TaskT = TypeVar("TaskT", StageTask, SegmentTask)


def workload_of(plans: Sequence[RunPlan]) -> Workload:
    """Return all that the runs need and about how long it takes; nothing is computed."""
    return estimate(dry_run_all(plans))


def estimate(dry_runs: Sequence[DryRun]) -> Workload:
    """Put the stages of all runs together, each result once, and estimate what is to do.

    Time: what it took here on the same images (`taken_before`), else what the method's `costs` compute. Stages that the
    dry run could not come to are those of `costs` that it has not named. Starting processes is not counted.
    """
    known = _Known()
    stages: dict[str, StageTask] = {}
    segments: list[SegmentTask] = []
    common: dict[str, Cost] = {}
    prepared: dict[str, float] = {}
    for one in dry_runs:
        costs = _costs_of(one.plan)
        for task in _stage_tasks(one, costs, known):
            before = stages.get(task.digest)
            runs = (*(() if before is None else before.runs), *task.runs)
            stages[task.digest] = replace(task, runs=tuple(dict.fromkeys(runs)))
        to_do = {task.stage for task in stages.values() if not task.cached}
        if cases := one.to_segment:
            segments.append(_segment_task(one, cases, costs, known))
            to_do.add("segment")
        for cost in costs:
            if cost.common and cost.stage in to_do:
                common[cost.common] = max(cost, common.get(cost.common, cost), key=lambda each: each.bytes)
        prepared |= _prepared_bytes(one)
    measured = {task.stage for task in stages.values() if not task.cached and task.basis == "measured"}
    shared = [
        _timed(task, 0.0) if cost.stage in measured else task  # its time is in that of the stage
        for task, cost in ((_common_task(dry_runs, name, cost), cost) for name, cost in common.items())
    ]
    return Workload(
        (*stages.values(), *shared),
        tuple(segments),
        {str(one.plan.folder.path): one.beyond for one in dry_runs if one.beyond is not None},
        {str(one.plan.folder.path): one.error for one in dry_runs if one.error is not None},
        sum(prepared.values()),
        missing_weights([name for one in dry_runs if not one.plan.is_done for name in one.plan.method.weights]),
    )


class _Known:
    """Earlier times, each read once."""

    def __init__(self) -> None:
        self.times = cache(read_times)
        self.runs = cache(_read_runs)


def _stage_tasks(one: DryRun, costs: Sequence[Cost], known: _Known) -> Iterator[StageTask]:
    """The stages that the dry run named and then, where more may follow, those of `costs` that it did not come to."""
    method, run = one.plan.method.name, (str(one.plan.folder.path),)
    left = [cost for cost in costs if cost.stage != "segment" and not cost.common]
    named = dict.fromkeys(call.digest for call in one.stages)
    calls = {call.digest: call for call in reversed(one.stages)}
    for digest in named:
        call = calls[digest]
        cost = next((cost for cost in left if cost.stage == call.name), None)
        if cost is not None:
            left.remove(cost)
        yield _named_task(one.plan, call, cost, known)
    if one.beyond is None:
        return
    for cost in left:
        place = digest_of([method, cost.stage, cost.depends, one.plan.seed])
        yield _computed(StageTask(method, cost.stage, f"computed {place}", False, run, None), one.plan, [cost])


def _named_task(plan: RunPlan, call: StageCall, cost: Cost | None, known: _Known) -> StageTask:
    task = StageTask(plan.method.name, call.name, call.digest, call.cached, (str(plan.folder.path),), None)
    if call.cached:
        return _timed(task, 0.0)
    computed = task if cost is None else _computed(task, plan, [cost])
    seconds = stage_seconds(plan, call, known.times(call.name))
    return computed if seconds is None else _timed(computed, seconds)


def _segment_task(one: DryRun, cases: int, costs: Sequence[Cost], known: _Known) -> SegmentTask:
    plan = one.plan
    task = SegmentTask(str(plan.folder.path), plan.method.name, cases, None)
    own = [cost for cost in costs if cost.stage == "segment" and not cost.common]
    computed = _computed(task, plan, own, share=cases / max(1, len(plan.case_ids))) if own else task
    seconds = case_seconds(plan, known.runs(plan.folder.path.parents[1]))
    return computed if seconds is None else _timed(computed, cases * seconds)


def _common_task(dry_runs: Sequence[DryRun], name: str, cost: Cost) -> StageTask:
    """What several runs have in common, once."""
    plans = [one.plan for one in dry_runs if any(each.common == name for each in _costs_of(one.plan))]
    runs = tuple(str(plan.folder.path) for plan in plans)
    stage = name.partition(" ")[0]
    return _computed(StageTask(plans[0].method.name, stage, f"computed {name}", False, runs, None), plans[0], [cost])


def _computed(task: TaskT, plan: RunPlan, costs: Sequence[Cost], share: float = 1.0) -> TaskT:
    machine = machine_of(plan)
    return replace(
        task,
        seconds=share * sum(cost.seconds(machine) for cost in costs),
        basis="computed",
        gpu_seconds=share * sum(cost.seconds("gpu") for cost in costs),
        bytes=share * sum(cost.bytes for cost in costs),
    )


def _timed(task: TaskT, seconds: float) -> TaskT:
    return replace(task, seconds=seconds, basis="measured")


def _costs_of(plan: RunPlan) -> Sequence[Cost]:
    """Return what an installed method says of its costs; a file's method is not loaded here, so it says nothing."""
    if plan.loaded is None:
        return ()
    counts = CaseCounts(len(plan.learned_from("train")), len(plan.learned_from("valid")), len(plan.case_ids))
    return plan.loaded(plan.options).costs(counts)


def _prepared_bytes(one: DryRun) -> dict[str, float]:
    """Return by case what preparing takes, of runs that are new and on real data: there the size is that of BraTS."""
    if one.plan.is_done or one.plan.folder.record or not one.plan.dataset.evidence:
        return {}
    return dict.fromkeys(one.plan.used_case_ids, _PREPARED_BYTES)


def _read_runs(folder: Path) -> list[tuple[RunFolder, Mapping[str, Any]]]:
    """Return the runs in a folder with their records, newest first."""
    return [(run, run.record) for run in reversed(find_runs(folder))]
