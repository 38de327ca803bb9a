"""All methods at once on one metric: Friedman's test and Nemenyi's critical difference of mean ranks."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from unseg_bench.compare.comparison import Column
from unseg_bench.compare.statistics.record import Friedman
from unseg_bench.compare.statistics.samples import snapped
from unseg_bench.compare.values import ScoreTable

ALPHA = 0.05


def friedman(table: ScoreTable, column: Column) -> Friedman:
    """Friedman's test over the cases that every method has a value for: `scipy.stats.friedmanchisquare`.

    Ranks within a case are averaged over ties; rank 1 is best. Fewer than three methods
    have no test and no critical difference. Demšar, JMLR 7 (2006) 1.
    """
    from scipy.stats import friedmanchisquare, rankdata

    values = _common(table, column)
    n = values.shape[1]
    if n == 0:
        return Friedman(column.metric.name, 0, {}, None, None, None, (), "no case that every method has a value for")
    badness = -values if column.higher_is_better else values
    means = rankdata(badness, axis=0).mean(axis=1)
    mean_ranks = {label: float(rank) for label, rank in zip(table.labels, means, strict=True)}
    if reason := _why_not(values):
        return Friedman(column.metric.name, n, mean_ranks, None, None, None, (), reason)
    difference = critical_difference(len(values), n)
    found = friedmanchisquare(*values)
    return Friedman(
        metric=column.metric.name,
        n=n,
        mean_ranks=mean_ranks,
        statistic=float(found.statistic),
        p=float(found.pvalue),
        critical_difference=difference,
        cliques=cliques(mean_ranks, difference),
    )


def critical_difference(methods: int, cases: int) -> float:
    """Nemenyi's: q(.95, k, inf) / sqrt(2) * sqrt(k (k + 1) / (6 n)), q from `scipy.stats.studentized_range`."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1.0 - ALPHA, methods, np.inf))
    return q / math.sqrt(2.0) * math.sqrt(methods * (methods + 1) / (6.0 * cases))


def cliques(mean_ranks: Mapping[str, float], difference: float) -> tuple[tuple[str, ...], ...]:
    """Runs of two or more methods, best first, whose mean ranks differ by less than `difference`, none in another."""
    labels = sorted(mean_ranks, key=lambda label: mean_ranks[label])
    found: list[tuple[str, ...]] = []
    reached = 0
    for start, label in enumerate(labels):
        end = max(i for i, other in enumerate(labels) if mean_ranks[other] - mean_ranks[label] < difference) + 1
        if end - start > 1 and end > reached:
            found.append(tuple(labels[start:end]))
        reached = max(reached, end)
    return tuple(found)


def _common(table: ScoreTable, column: Column) -> NDArray[np.float64]:
    """Values (methods, cases) over the cases that every method has one for, ties seen as such."""
    own = [table.column(column.key, label) for label in table.labels]
    cases = [case for case in table.members[column.key] if all(values[case] is not None for values in own)]
    return snapped(np.array([[values[case] for case in cases] for values in own], dtype=float))


def _why_not(values: NDArray[np.float64]) -> str | None:
    methods, n = values.shape
    if methods < 3:
        return "fewer than three methods"
    if n < 2:
        return "one case only"
    return "every method is equal in every case" if not np.ptp(values, axis=0).any() else None
