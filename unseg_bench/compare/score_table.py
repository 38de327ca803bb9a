"""The numbers that a comparison is computed from: one value a metric, method and case, seeds already averaged."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from unseg_bench.compare.comparison import Column
from unseg_bench.plugins.metric import Metric


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
