"""From the scores of runs to the numbers that a comparison is computed from: one value a metric, method and case.

Seeds are averaged; missing cases and empty masks count as the settings say.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from statistics import fmean

from unseg_bench.compare.comparison import Column
from unseg_bench.compare.groups import FEW_CASES, Grouping
from unseg_bench.compare.inputs import CaseFacts, RunScores
from unseg_bench.compare.settings import RANK_POLICY, CompareSettings
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.metric import DIAGONAL, Metric
from unseg_bench.score.record import CaseScore, Flag

Scored = Mapping[str, Mapping[int, Mapping[str, CaseScore]]]
"""label -> seed -> case -> score; labels in the order in which they first come, seeds in rising order."""
Values = dict[str, float | None]
"""case -> value; None where the policy on empty masks leaves the case out."""


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores by metric, label and case (cases in order of tumour volume), and which cases each column holds.

    A value is None where the policy on empty masks leaves the case out, or there is no prediction and that does not
    count as the worst. labels: those with a value at all; competing: those that may be best of a column, and the
    reference where none is named. tumour_ml: of the cases whose reference is known. seed_means: mean over the cases of
    one seed, by metric, label and seed; a seed without a value is not there. worst: what a case is worth at worst, by
    metric and case (DSC 0, its grid's diagonal in mm where a run has a score of it); nothing for a metric without a
    worst value.
    """

    labels: tuple[str, ...]
    competing: tuple[str, ...]
    cases: tuple[str, ...]
    tumour_ml: Mapping[str, float]
    columns: tuple[Column, ...]
    members: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    seed_means: Mapping[str, Mapping[str, Mapping[int, float]]]
    worst: Mapping[str, Mapping[str, float]]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics, in the order of their columns."""
        return tuple(dict.fromkeys(column.metric for column in self.columns))

    def column(self, key: str, label: str) -> dict[str, float | None]:
        """One method's values in one column, by case. Raises: KeyError for a column or label that is not there."""
        column = {column.key: column for column in self.columns}[key]
        own = self.values[column.metric.name][label]
        return {case: own[case] for case in self.members[key]}

    def pairs(self, key: str, a: str, b: str) -> tuple[list[float], list[float]]:
        """Values of two methods in one column, over the cases for which both have one, in the cases' order."""
        ones, others = self.column(key, a), self.column(key, b)
        both = [
            (x, y) for case in self.members[key] if (x := ones[case]) is not None and (y := others[case]) is not None
        ]
        return [x for x, _ in both], [y for _, y in both]

    def worst_of(self, key: str) -> float | None:
        """Mean over a column's cases of what a case is worth at worst, None where nothing is known of that.

        Raises: KeyError for another key.
        """
        worst = self.worst[{column.key: column for column in self.columns}[key].metric.name]
        known = [worst[case] for case in self.members[key] if case in worst]
        return fmean(known) if known else None


def by_label(runs: Sequence[RunScores]) -> Scored:
    """Sort scores by label, seed and case."""
    labels = dict.fromkeys(run.label for run in runs)
    ordered = sorted(runs, key=lambda run: run.seed)
    return {
        label: {run.seed: {score.case: score for score in run.scores} for run in ordered if run.label == label}
        for label in labels
    }


def case_facts(runs: Sequence[RunScores]) -> dict[str, CaseFacts]:
    """What is known of the reference of every case, from a score or from a run's record of what it lacks."""
    facts = {case: own for run in runs for case, own in run.unscored.items()}
    return facts | {score.case: CaseFacts(score.tumour_ml, score.diagonal_mm) for run in runs for score in run.scores}


def chosen_cases(scored: Scored, planned: Set[str], facts: Mapping[str, CaseFacts], missing: str) -> tuple[str, ...]:
    """The cases to compare, in order of (tumour volume, name): those that all scored runs have for `common`.

    For `worst` all that were `planned`, else all with a score. Raises: ScoreError where no case is left.
    """
    sets = [set(scores) for seeds in scored.values() for scores in seeds.values() if scores]
    cases = {"common": set.intersection, "worst": set(planned).union}.get(missing, set.union)(*sets)
    if not cases:
        raise ScoreError("no case is in every run; leave out the run that has other cases, or use --missing worst")
    volumes_ml = {case: facts[case].tumour_ml if case in facts else math.inf for case in cases}
    return tuple(sorted(cases, key=lambda case: (volumes_ml[case], case)))


def score_table(
    scored: Scored,
    cases: tuple[str, ...],
    facts: Mapping[str, CaseFacts],
    grouping: Grouping,
    competing: Sequence[str],
    metrics: Sequence[Metric],
    settings: CompareSettings,
) -> ScoreTable:
    """The table that a comparison is computed from, by the settings' rules on empty masks and missing cases."""
    volumes_ml = {case: facts[case].tumour_ml for case in cases if case in facts}
    members = {"": cases}
    for key, group in group_keys(grouping).items():
        of_group = set(grouping.groups[group].cases)
        members[key] = tuple(case for case in cases if case in of_group)
    columns = [
        _column(metric, key, grouping, members[key], volumes_ml)
        for keys in ([""], group_keys(grouping))
        for metric in metrics
        for key in keys
    ]
    seeds = {
        metric.name: seed_values(scored, cases, facts, metric, settings.empty, settings.missing) for metric in metrics
    }
    labels = tuple(label for label, own in scored.items() if any(own.values()))
    return ScoreTable(
        labels=labels,
        competing=tuple(label for label in labels if label in competing),
        cases=cases,
        tumour_ml=volumes_ml,
        columns=tuple(columns),
        members={
            column.key: members[column.key.removeprefix(column.metric.name).removeprefix(":")] for column in columns
        },
        values={
            name: {label: mean_of_seeds(own.values(), cases) for label, own in by_seed.items()}
            for name, by_seed in seeds.items()
        },
        seed_means={
            name: {label: _seed_means(own) for label, own in by_seed.items()} for name, by_seed in seeds.items()
        },
        worst={metric.name: _worst(metric, cases, facts) for metric in metrics},
    )


def group_keys(grouping: Grouping) -> dict[str, int]:
    """The part of a column's key after 'dsc:' -> index of its group; no two are alike."""
    keys: dict[str, int] = {}
    for index, group in enumerate(grouping.groups):
        plain = "-".join(group.name.lower().split())
        keys[plain if plain not in keys else f"{plain}-{index + 1}"] = index
    return keys


def seed_values(
    scored: Scored, cases: Sequence[str], facts: Mapping[str, CaseFacts], metric: Metric, empty: str, missing: str
) -> dict[str, dict[int, Values]]:
    """Value of every case by label and seed.

    A case that the seed has no prediction for takes the worst value for `missing` 'worst', else None; a label without
    any score has no values. The diagonal of a case that nothing is known of is the largest of the others.
    """
    diagonals_mm = _diagonals_mm(cases, facts)
    found: dict[str, dict[int, Values]] = {}
    for label, seeds in scored.items():
        counts = missing == "worst" and any(seeds.values())
        found[label] = {
            seed: {
                case: value_of(scores.get(case), metric, empty, diagonals_mm[case])
                if counts or case in scores
                else None
                for case in cases
            }
            for seed, scores in seeds.items()
        }
    return found


def _worst(metric: Metric, cases: Sequence[str], facts: Mapping[str, CaseFacts]) -> dict[str, float]:
    """What every case is worth at worst; nothing where the metric has no such value."""
    if metric.worst is None:
        return {}
    return _diagonals_mm(cases, facts) if metric.worst == DIAGONAL else dict.fromkeys(cases, metric.worst)


def _diagonals_mm(cases: Sequence[str], facts: Mapping[str, CaseFacts]) -> dict[str, float]:
    """Diagonal of every case's image; of a case that nothing is known of, the largest of the others."""
    largest_mm = max(own.diagonal_mm for own in facts.values())
    return {case: facts[case].diagonal_mm if case in facts else largest_mm for case in cases}


def value_of(score: CaseScore | None, metric: Metric, empty: str, diagonal_mm: float) -> float | None:
    """What a case is worth; None where the metric was not measured. No score: the worst that there is.

    `empty` rules a distance of a case of which one mask is empty and the other is not: 'diagonal' as scored, 'exclude'
    None, 'zero' 0 mm, 'rank' infinite (as a missing case then is).
    """
    value = None if score is None else score.values.get(metric.name)
    if metric.worst != DIAGONAL:
        return metric.worst if score is None else value
    if score is None:
        return math.inf if empty == RANK_POLICY else diagonal_mm
    if value is None or (Flag.EMPTY_PREDICTION in score.flags) == (Flag.EMPTY_REFERENCE in score.flags):
        return value
    return {"diagonal": value, "exclude": None, "zero": 0.0, RANK_POLICY: math.inf}[empty]


def missed_tumour(score: CaseScore) -> bool:
    """Whether the prediction has no voxel though there is a tumour."""
    return Flag.EMPTY_PREDICTION in score.flags and Flag.EMPTY_REFERENCE not in score.flags


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are there, None without any."""
    present = [value for value in values if value is not None]
    return fmean(present) if present else None


def mean_of_seeds(seeds: Iterable[Values], cases: Sequence[str]) -> Values:
    """Mean over seeds within each case."""
    own = list(seeds)
    return {case: mean_of(seed[case] for seed in own) for case in cases}


def _seed_means(seeds: Mapping[int, Values]) -> dict[int, float]:
    means = {seed: mean_of(values.values()) for seed, values in seeds.items()}
    return {seed: mean for seed, mean in means.items() if mean is not None}


def _column(
    metric: Metric, key: str, grouping: Grouping, cases: Sequence[str], volumes_ml: Mapping[str, float]
) -> Column:
    own = [volumes_ml[case] for case in cases if case in volumes_ml]
    return Column(
        key=f"{metric.name}:{key}" if key else metric.name,
        metric=metric,
        group=grouping.groups[group_keys(grouping)[key]].name if key else None,
        higher_is_better=metric.higher_is_better,
        n=len(cases),
        low_ml=min(own, default=0.0),
        high_ml=max(own, default=0.0),
        few=len(cases) < FEW_CASES,
        empty_references=own.count(0.0),
    )
