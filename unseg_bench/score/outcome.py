"""A run to its scores: what an executor does with each plan, and what becomes of it."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from unseg_bench.errors import RunError, UbenchError
from unseg_bench.run.confidence import Confidences
from unseg_bench.run.facts import failed_text
from unseg_bench.run.plan import RunPlan, identify
from unseg_bench.run.progress import Reporter, timed_stage
from unseg_bench.run.runner import execute
from unseg_bench.score.doubts import remarks
from unseg_bench.score.record import CaseScore
from unseg_bench.score.scoring import score_run


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its scores (None: the data set has no references), and what went wrong with it or some cases."""

    plan: RunPlan
    scores: list[CaseScore] | None = None
    error: UbenchError | None = None

    @property
    def dsc(self) -> float | None:
        """Mean DSC, 0-1, over the cases with a score; None without scores."""
        return fmean(score.dsc for score in self.scores) if self.scores else None

    @property
    def hd95_mm(self) -> float | None:
        """Mean HD95 in mm over the cases with a score; None without scores."""
        return fmean(score.hd95_mm for score in self.scores) if self.scores else None

    @property
    def confidences(self) -> Confidences:
        """What the method said of how far its answers can be trusted, and which cases to look at."""
        return Confidences.of(self.plan.folder.record)

    def to_dict(self) -> dict[str, Any]:
        """What a script wants to know; DSC 0-1, HD95 in mm; confidences: case -> 0-1."""
        plan, stated = self.plan, self.confidences
        return {
            **identify(plan),
            "part": plan.settings.part,
            "evidence": plan.dataset.evidence,
            "cases": len(plan.case_ids),
            "failed_cases": plan.folder.failed_cases,
            "without_reference": plan.folder.record.get("without_reference", []),
            "remarks": remarks(plan.folder),
            "all_empty": bool(plan.folder.record.get("all_empty")),
            "dsc": self.dsc,
            "hd95_mm": self.hd95_mm,
            "confidences": dict(stated.values),
            "look_below": stated.below,
            "look_at": list(stated.look),
            "scores": str(plan.folder.scores) if self.scores else None,
            "error": str(self.error) if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class RunAndScore:
    """Runs a plan and scores it. `since`, in seconds since 1970: results from before are made again.

    `strict` ends at the first case that fails. It holds values alone, so that it can cross to another process.
    """

    since: float | None = None
    strict: bool = False

    def __call__(self, plan: RunPlan, reporter: Reporter) -> Outcome:
        """Return what became of the run; an error of ours is part of it, any other is raised."""
        try:
            scores = self._scores(plan, reporter)
        except UbenchError as error:
            return Outcome(plan, error=error)
        if failed := plan.folder.failed_cases:
            return Outcome(plan, scores, RunError(failed_text(plan.title, failed, len(plan.case_ids))))
        return Outcome(plan, scores)

    def _scores(self, plan: RunPlan, reporter: Reporter) -> list[CaseScore] | None:
        execute(plan, reporter, strict=self.strict, since=self.since)
        if plan.folder.state == "complete":
            reporter.run_begins(plan.title)
            reporter.message("complete already; --force does it again")
            return score_run(plan.folder, plan.dataset, reporter)
        if all(plan.dataset.reference(case_id) is None for case_id in plan.case_ids):
            reporter.message("no reference masks, so nothing is scored")
            return None
        with timed_stage(reporter, "score"):
            return score_run(plan.folder, plan.dataset, reporter, strict=self.strict)
