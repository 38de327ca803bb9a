"""Runs one after the other, each to its scores; what failed is told, and the others go on."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import typer

from unseg_bench.cli.plugins import plugins_with_warnings
from unseg_bench.cli.reporters import make_reporter
from unseg_bench.cli.summary import print_plans, print_summary, print_workload
from unseg_bench.cli.text import print_error, print_json, warn
from unseg_bench.errors import RunError, UbenchError
from unseg_bench.run.failures import failed_text
from unseg_bench.run.plan import RunPlan, describe, plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.score.doubts import remarks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unseg_bench.cli.reporters import LiveReporter, PlainReporter
    from unseg_bench.run.estimate import Workload
    from unseg_bench.run.settings import RunSettings
    from unseg_bench.score.record import CaseScore

STOPPED = 130


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its scores (None: the data set has no references), and what went wrong with it or some cases."""

    plan: RunPlan
    scores: "list[CaseScore] | None" = None
    error: UbenchError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what a script wants to know; DSC 0-1, HD95 in mm."""
        plan = self.plan
        scores = self.scores or []
        return {
            "run": str(plan.folder.path),
            "state": plan.folder.state,
            "method": plan.method.name,
            "preset": plan.preset,
            "seed": plan.seed,
            "dataset": plan.dataset.name,
            "split": plan.split.name,
            "part": plan.settings.part,
            "evidence": plan.dataset.evidence,
            "cases": len(plan.case_ids),
            "failed_cases": plan.folder.failed_cases,
            "without_reference": plan.folder.record.get("without_reference", []),
            "remarks": remarks(plan.folder),
            "all_empty": bool(plan.folder.record.get("all_empty")),
            "dsc": fmean(score.dsc for score in scores) if scores else None,
            "hd95_mm": fmean(score.hd95_mm for score in scores) if scores else None,
            "scores": str(plan.folder.scores) if scores else None,
            "error": str(self.error) if self.error else None,
        }


def plan_all(settings: "RunSettings", runs: Path) -> list[RunPlan]:
    """Check the settings and return the runs that they mean; raises a UbenchError for any bad input."""
    plans = plan_runs(settings, plugins_with_warnings(), runs)
    check_device(settings)
    return plans


def check_device(settings: "RunSettings") -> None:
    """Raise a UbenchError where a device was named that is not there."""
    if settings.device not in {"auto", "cpu"}:
        from unseg_bench.plugins.device import pick_device

        pick_device(settings.device)


def show_plans(plans: "Sequence[RunPlan]", *, as_json: bool) -> None:
    """Say what would be done, in which stages, and about how long it will take."""
    described, workload = [describe(plan) for plan in plans], workload_of(plans)
    if as_json:
        print_json({"runs": described, "work": workload.to_dict()})
    else:
        print_plans(described)
        print_workload(workload, len(described))


def workload_of(plans: "Sequence[RunPlan]") -> "Workload":
    """Return all that the runs need and about how long it takes; nothing is computed."""
    from unseg_bench.run.dry_run import dry_run_all
    from unseg_bench.run.estimate import estimate

    return estimate(dry_run_all(plans))


def run_all(plans: list[RunPlan], runs: Path, *, force: bool, strict: bool, as_json: bool) -> int:
    """Run and score every plan, print the table, and return the exit code: that of the first failure, or 0.

    `strict` ends at the first failure, be it of a case or of a run.
    """
    outcomes = attempt_all(plans, force=force, strict=strict)
    if as_json:
        print_json({"runs": [outcome.to_json() for outcome in outcomes]})
    else:
        print_summary(outcomes, runs)
    return exit_code(outcomes)


def attempt_all(plans: "Sequence[RunPlan]", *, force: bool, strict: bool) -> list[Outcome]:
    """Run and score every plan; one that fails does not stop the others unless `strict` is set.

    `force` does everything again, stages that several runs share once.
    Raises typer.Exit(130) for Ctrl-C.
    """
    outcomes: list[Outcome] = []
    since = time.time() if force else None
    try:
        for plan in plans:
            outcomes.append(_attempt(plan, since, strict=strict))
            if strict and outcomes[-1].error:
                break
    except KeyboardInterrupt:
        warn("stopped; the same command goes on where it stood")
        raise typer.Exit(STOPPED) from None
    return outcomes


def exit_code(outcomes: "Sequence[Outcome]") -> int:
    """Return the exit code of the first failure, 0 where there is none."""
    return next((outcome.error.exit_code for outcome in outcomes if outcome.error), 0)


def _attempt(plan: RunPlan, since: float | None, *, strict: bool) -> Outcome:
    try:
        with make_reporter() as reporter:
            scores = _predict_and_score(plan, reporter, since, strict=strict)
    except UbenchError as error:
        print_error(str(error))
        return Outcome(plan, error=error)
    for remark in remarks(plan.folder):
        warn(f"Warning: {plan.title}: {remark}")
    if failed := plan.folder.failed_cases:
        error = RunError(failed_text(plan.title, failed, len(plan.case_ids)))
        print_error(str(error))
        return Outcome(plan, scores, error)
    return Outcome(plan, scores)


def _predict_and_score(
    plan: RunPlan,
    reporter: "LiveReporter | PlainReporter",
    since: float | None,
    *,
    strict: bool,
) -> "list[CaseScore] | None":
    from unseg_bench.score.run import score_run

    execute(plan, reporter, strict=strict, since=since)
    if plan.folder.state == "complete":
        reporter.run_begins(plan.title)
        reporter.message("complete already; --force does it again")
        return score_run(plan.folder, plan.dataset, reporter)
    if all(plan.dataset.reference(case_id) is None for case_id in plan.case_ids):
        reporter.message("no reference masks, so nothing is scored")
        return None
    reporter.stage_begins("score")
    started = time.monotonic()
    scores = score_run(plan.folder, plan.dataset, reporter, strict=strict)
    reporter.stage_ends("score", time.monotonic() - started, cached=False)
    return scores
