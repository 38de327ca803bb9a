"""How long a plan will take, from what the same stages and methods took before on this machine."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

from unseg_bench.data.paths import cache_dir
from unseg_bench.plugins.digests import digest_of
from unseg_bench.plugins.stage_cache import RECORD
from unseg_bench.run.dry_run import DryRun, StageCall, dry_run_all
from unseg_bench.run.folder import RunFolder, find_runs
from unseg_bench.run.plan import RunPlan


@dataclass(frozen=True, slots=True)
class StageTask:
    """One stage that runs need. runs: their folders; seconds: an estimate where it is to do, None if never seen."""

    method: str
    stage: str
    digest: str
    cached: bool
    runs: tuple[str, ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """The cases that one run has to segment. seconds: an estimate, None where the method was never seen."""

    run: str
    method: str
    cases: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Workload:
    """All that runs need, what they share once. `beyond`: run -> why more stages may follow; `errors`: run -> error.

    seconds: the sum of the estimates; unknown: how many tasks are in it without one.
    """

    stages: tuple[StageTask, ...]
    segments: tuple[SegmentTask, ...]
    beyond: Mapping[str, str]
    errors: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """Sum of all estimates."""
        return sum(task.seconds or 0.0 for task in (*self.stages, *self.segments))

    @property
    def unknown(self) -> int:
        """How many stages and segmentations to do have no estimate."""
        return sum(task.seconds is None for task in (*self.stages, *self.segments))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "stages": [asdict(task) for task in self.stages],
            "segment": [asdict(task) for task in self.segments],
            "seconds": self.seconds,
            "without_estimate": self.unknown,
            "more_stages_may_follow": dict(self.beyond),
            "would_fail": dict(self.errors),
        }


def workload_of(plans: Sequence[RunPlan]) -> Workload:
    """Return all that the runs need and about how long it takes; nothing is computed."""
    return estimate(dry_run_all(plans))


def estimate(dry_runs: Sequence[DryRun]) -> Workload:
    """Put the stages of all runs together, each result once, and estimate what is to do.

    A stage: the median time of earlier results of the same stage with the same options, else with any. Segmentation:
    the cases left times the method's time a case in its newest runs. Preparing images and starting processes is not
    counted.
    """
    times, runs_in = cache(_read_times), cache(_read_runs)  # each is read once a call
    calls: dict[tuple[str, str], tuple[str, StageCall, list[str]]] = {}
    for one in dry_runs:
        for call in one.stages:
            name, run = one.plan.method.name, str(one.plan.folder.path)
            runs = calls.setdefault((call.name, call.digest), (name, call, []))[2]
            runs += [] if run in runs else [run]
    return Workload(
        tuple(
            StageTask(
                method,
                call.name,
                call.digest,
                call.cached,
                tuple(runs),
                0.0 if call.cached else _stage_seconds(call, times(call.name)),
            )
            for method, call, runs in calls.values()
        ),
        tuple(
            SegmentTask(
                str(one.plan.folder.path),
                one.plan.method.name,
                cases,
                _case_seconds(one.plan, cases, runs_in(one.plan.folder.path.parents[1])),
            )
            for one in dry_runs
            if (cases := one.to_segment)
        ),
        {str(one.plan.folder.path): one.beyond for one in dry_runs if one.beyond is not None},
        {str(one.plan.folder.path): one.error for one in dry_runs if one.error is not None},
    )


def _stage_seconds(call: StageCall, known: Sequence[tuple[str, float]]) -> float | None:
    """Return the median of earlier results of a stage, None for one that was never seen."""
    options = digest_of(call.options)
    same = [seconds for other, seconds in known if other == options]
    chosen = same or [seconds for _, seconds in known]
    return median(chosen) if chosen else None


def _read_times(stage: str) -> list[tuple[str, float]]:
    """Return (digest of the options, seconds) of every kept result of a stage."""
    found: list[tuple[str, float]] = []
    for file in (cache_dir() / "stages").glob(f"*/{stage}-*/{RECORD}"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if record["key"]["stage"] == stage:
                found.append((digest_of(record["key"]["options"]), float(record["seconds"])))
    return found


def _case_seconds(plan: RunPlan, cases: int, runs: Sequence[tuple[RunFolder, Mapping[str, Any]]]) -> float | None:
    """Return seconds for some cases as in the first of `runs` of a plan's method, on the same data and preset first."""
    own = [(run, record) for run, record in runs if record.get("method") == plan.method.name]
    same = [pair for pair in own if (pair[1].get("dataset"), pair[1].get("preset")) == (plan.dataset.name, plan.preset)]
    return next((cases * seconds for run, _ in (*same, *own) if (seconds := seconds_a_case(run)) is not None), None)


def _read_runs(folder: Path) -> list[tuple[RunFolder, Mapping[str, Any]]]:
    """Return the runs in a folder with their records, newest first."""
    return [(run, run.record) for run in reversed(find_runs(folder))]


def seconds_a_case(run: RunFolder) -> float | None:
    """Return the mean time between the cases of a run's log, None for fewer than three cases.

    The longest gap is left out: between two of them the run may have stood still.
    """
    ends = [datetime.fromisoformat(str(line["time"])) for line in run.events() if line.get("event") == "case"]
    gaps = sorted((later - earlier).total_seconds() for earlier, later in pairwise(ends))
    return fmean(gaps[:-1]) if len(gaps) > 1 else None
