"""What stages and cases took before on this machine, as far as it tells what they will take: same data, same device."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from unseg_bench.data.paths import cache_dir
from unseg_bench.plugins.cost import Machine
from unseg_bench.plugins.device import CPU, kind_of_device, settle_device
from unseg_bench.plugins.digests import digest_of
from unseg_bench.plugins.stage_cache import RECORD
from unseg_bench.run.dry_run import StageCall
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.plan import RunPlan


@dataclass(frozen=True, slots=True)
class Taken:
    """What one kept result of a stage took. `options`: their digest; `data`: of the images; `preset`: of its run."""

    options: str
    seconds: float
    machine: Machine
    cases: int
    data: str
    preset: str


def machine_of(plan: RunPlan) -> Machine:
    """Return on which kind of machine a plan will compute."""
    return _machine(settle_device(plan.settings.device).name)


def _machine(device: str) -> Machine:
    """Return the kind of machine that torch's name of a device means."""
    return "cpu" if kind_of_device(device) == CPU else "gpu"


def read_times(stage: str) -> list[Taken]:
    """Return what every kept result of a stage took; records without it, and damaged ones, are passed over."""
    found: list[Taken] = []
    for file in (cache_dir() / "stages").glob(f"*/{stage}-*/{RECORD}"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            work: Mapping[str, Any] = record["work"]
            if record["key"]["stage"] == stage:
                found.append(
                    Taken(
                        digest_of(record["key"]["options"]),
                        float(record["seconds"]),
                        _machine(str(record["device"])),
                        int(work["cases"]),
                        str(work["data"]),
                        str(work["preset"]),
                    )
                )
    return found


def stage_seconds(plan: RunPlan, call: StageCall, known: Sequence[Taken]) -> float | None:
    """Return the median of what a stage took on the same images and kind of machine, per case of its inputs.

    Results with the same options come first, then those of the same preset; None where there is none. What three small
    cases took says nothing about another cohort, so that is not taken.
    """
    data, machine, options = plan.inputs.learned_from, machine_of(plan), digest_of(call.options)
    here = [one for one in known if (one.data, one.machine) == (data, machine)]
    same = [one for one in here if one.options == options]
    chosen = same or [one for one in here if one.preset == plan.preset]
    scaled = [one.seconds * (call.cases / one.cases if call.cases and one.cases else 1.0) for one in chosen]
    return median(scaled) if scaled else None


def case_seconds(plan: RunPlan, runs: Sequence[tuple[RunFolder, Mapping[str, Any]]]) -> float | None:
    """Return the seconds per case of the newest run of a plan's method, preset and device on cases of its data set."""
    machine, cases = machine_of(plan), set(plan.case_ids)
    wanted = (plan.method.name, plan.preset, plan.dataset.name)
    for run, record in runs:
        if (record.get("method"), record.get("preset"), record.get("dataset")) != wanted:
            continue
        if not cases.isdisjoint(record.get("cases", [])) and _machine_of_run(record) == machine:
            seconds = seconds_a_case(run)
            if seconds is not None:
                return seconds
    return None


def seconds_a_case(run: RunFolder) -> float | None:
    """Return the mean time between the cases of a run's log, None for fewer than three cases.

    The longest gap is left out: between two of them the run may have stood still.
    """
    ends = [datetime.fromisoformat(str(line["time"])) for line in run.events() if line.get("event") == "case"]
    gaps = sorted((later - earlier).total_seconds() for earlier, later in pairwise(ends))
    return fmean(gaps[:-1]) if len(gaps) > 1 else None


def _machine_of_run(record: Mapping[str, Any]) -> Machine:
    return _machine(str(record.get("device", {}).get("name", CPU)))
