"""What a comparison is made of: the scores of runs, with what must agree before they may stand in one table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unseg_bench.errors import ScoreError
from unseg_bench.plugins.metric import Metric
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import SCORING_RULES, CaseScore
from unseg_bench.words import first_of

_VOLUME_TOLERANCE_ML = 1e-6


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What must be known of a case without a score: volume of its reference in ml, its grid's diagonal in mm."""

    tumour_ml: float
    diagonal_mm: float


@dataclass(frozen=True, slots=True)
class RunScores:
    """The scores of one run: one method with its options, one seed, one part of one data set.

    `label` names a method with its options in the table; runs that share it are seeds of one method. `label_free` is
    what was measured about labels (see `run.ledger.label_free`). `is_floor`: a rule that learns nothing, below
    which no method should fall; `is_ceiling`: made with the case's own mask, so no method. `evidence`: False where the
    data (the phantom) say nothing about the real methods. `options`: the method's, flat ('amda.alpha'). `weights`:
    names of the pretrained weights that it used. `folder`: the run on disk, for its images and its record. `doubts`:
    why its scores may not be those of its files, in sentences.

    `cases`: all that the run was to do, by its own record; those without a score are missing, whatever other runs lack.
    `metrics`: those that it was scored by. `unscored`: what is known of cases without a score. `limit`: only
    so many of the part's cases were asked for. `failure`: why the run has no scores at all.
    `patients`: case -> patient, where that is not the case itself. `without_reference`: cases that were predicted and
    cannot be scored. `images`: case -> SHA-256 of the image file that its prediction was made from, where known.
    `confidences`: case -> 0 to 1, as the method stated it; `look_below`: the level under which it wants a case to be
    looked at.
    """

    method: str
    label: str
    seed: int
    label_free: str
    dataset: str
    split: str
    part: str
    evidence: bool
    scores: Sequence[CaseScore]
    scoring_rules: Mapping[str, str | float] = field(default_factory=lambda: dict(SCORING_RULES))
    is_floor: bool = False
    is_ceiling: bool = False
    preset: str = ""
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    folder: Path | None = None
    weights: Sequence[str] = ()
    cases: Sequence[str] = ()
    metrics: Mapping[str, Metric] = field(default_factory=lambda: BUILT_IN)
    unscored: Mapping[str, CaseFacts] = field(default_factory=dict[str, CaseFacts])
    limit: int | None = None
    failure: str | None = None
    patients: Mapping[str, str] = field(default_factory=dict[str, str])
    without_reference: Sequence[str] = ()
    doubts: Sequence[str] = ()
    images: Mapping[str, str] = field(default_factory=dict[str, str])
    confidences: Mapping[str, float] = field(default_factory=dict[str, float])
    look_below: float | None = None

    @property
    def name(self) -> str:
        """The run in messages."""
        return f"{self.label} (seed {self.seed})"

    @property
    def planned(self) -> set[str]:
        """The cases that the run was to do, those that it has scores of among them."""
        return {*self.cases, *(score.case for score in self.scores)}


def check_runs(runs: Sequence[RunScores], *, same_cases: bool = True) -> None:
    """Refuse runs that do not belong in one table; `same_cases`: all of them must have the same cases.

    A run that failed has no scores to check. Raises: ScoreError naming two runs and what differs between them (data
    set, split, part, phantom and real, scoring rules, cases, a case's reference), a run with no cases, the same
    case twice, a score that is no number, or a seed given twice.
    """
    scored = [run for run in runs if run.failure is None]
    if not scored:
        why = "; ".join(f"{run.name}: {run.failure}" for run in runs)
        raise ScoreError(
            f"no run has scores: {why}"
            if runs
            else "no scored run to compare; run a method first, for example: ubench run threshold"
        )
    for run in scored:
        _check_one(run)
    for run in runs:
        _check_same_data(scored[0], run)
    for run in scored[1:]:
        _check_same_rules(scored[0], run)
        if same_cases:
            _check_same_cases(scored[0], run)
    _check_same_references(runs)
    _check_seeds(runs)


def _check_one(run: RunScores) -> None:
    """Refuse a run that has no scores, two for one case, or one that is not a finite number."""
    if not run.scores:
        raise ScoreError(f"{run.name} has no scored case; score the run first")
    seen: set[str] = set()
    for score in run.scores:
        if score.case in seen:
            raise ScoreError(f"{run.name} has two scores for case {score.case}; score the run again")
        seen.add(score.case)
        for column, value in {"tumour_ml": score.tumour_ml, "diagonal_mm": score.diagonal_mm, **score.values}.items():
            if not math.isfinite(value):
                raise ScoreError(
                    f"{run.name}: {column} of case {score.case} is {value}, which no mean may include or leave out; "
                    "score the run again"
                )


def _check_same_data(first: RunScores, run: RunScores) -> None:
    """Refuse runs on different data."""
    if first.evidence != run.evidence:
        phantom, real = (run, first) if first.evidence else (first, run)
        raise ScoreError(
            f"{phantom.name} was run on a phantom ({phantom.dataset}) and {real.name} on real data ({real.dataset}); "
            "compare them in two tables"
        )
    for what in ("dataset", "split", "part"):
        one, other = getattr(first, what), getattr(run, what)
        if one != other:
            raise ScoreError(
                f"{first.name} has {what} {one}, {run.name} has {what} {other}; compare runs of one {what}"
            )


def _check_same_rules(first: RunScores, run: RunScores) -> None:
    """Refuse runs scored by different rules."""
    for rule in sorted({*first.scoring_rules, *run.scoring_rules}):
        one, other = first.scoring_rules.get(rule), run.scoring_rules.get(rule)
        if one != other:
            raise ScoreError(
                f"scoring rule {rule} is {one!r} for {first.name} and {other!r} for {run.name}; "
                "score both by the same rules"
            )


def _check_same_cases(first: RunScores, run: RunScores) -> None:
    """Refuse runs on different cases."""
    ones, others = ({score.case for score in one.scores} for one in (first, run))
    lacking, fuller, cases = (run, first, ones - others) if ones - others else (first, run, others - ones)
    if cases:
        raise ScoreError(
            f"{lacking.name} lacks {len(cases)} of the cases of {fuller.name}: {first_of(sorted(cases))}; "
            "--missing common compares the cases that all have, --missing worst gives a missing case the worst scores"
        )


def _check_same_references(runs: Sequence[RunScores]) -> None:
    """Refuse different references for one case."""
    known: dict[str, tuple[RunScores, CaseScore]] = {}
    masks: dict[str, tuple[RunScores, str]] = {}
    for run in runs:
        for score in run.scores:
            first, other = known.setdefault(score.case, (run, score))
            if abs(score.tumour_ml - other.tumour_ml) > _VOLUME_TOLERANCE_ML:
                raise ScoreError(
                    f"case {score.case}: the reference has {other.tumour_ml:.6g} ml for {first.name} and "
                    f"{score.tumour_ml:.6g} ml for {run.name}; score both against the same references"
                )
            if not score.tumour_sha256:
                continue
            first, mask = masks.setdefault(score.case, (run, score.tumour_sha256))
            if score.tumour_sha256 != mask:
                raise ScoreError(
                    f"case {score.case}: {first.name} and {run.name} were scored against different reference masks of "
                    "the same volume; score both against the same references (the same --data and --reference)"
                )


def _check_seeds(runs: Sequence[RunScores]) -> None:
    """Refuse two runs of one label and seed, and one label for two methods."""
    methods: dict[str, str] = {}
    seeds: set[tuple[str, int]] = set()
    for run in runs:
        if methods.setdefault(run.label, run.method) != run.method:
            raise ScoreError(
                f"{run.label} names two methods, {methods[run.label]} and {run.method}; give them two labels"
            )
        if (run.label, run.seed) in seeds:
            raise ScoreError(f"{run.name} is given twice{_where(runs, run)}; name one of the two runs only")
        seeds.add((run.label, run.seed))


def _where(runs: Sequence[RunScores], run: RunScores) -> str:
    """The folders of all runs that have the label and seed of one."""
    folders = [one.folder for one in runs if (one.label, one.seed) == (run.label, run.seed)]
    return f" ({', '.join(map(str, filter(None, folders)))})" if any(folders) else ""
