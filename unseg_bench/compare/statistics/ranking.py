"""Ranks on one metric, two ways, and how stable they are when patients are resampled."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from unseg_bench.compare.comparison import Column
from unseg_bench.compare.statistics.draws import generator
from unseg_bench.compare.statistics.record import Ranking, StatisticsSettings
from unseg_bench.compare.statistics.samples import snapped
from unseg_bench.compare.values import ScoreTable


def ranking(table: ScoreTable, column: Column, settings: StatisticsSettings) -> Ranking:
    """Rank the methods by their means, and by their ranks within each case; bootstrap the former.

    A mean is over the cases that the method has a value for, as in the table; one without any is last. Within a case,
    methods without a value share the last ranks. Every bootstrap takes the same patients for all methods, so that
    adding a method changes nobody else's. Ties share the mean of their ranks.
    """
    from scipy.stats import rankdata

    badness = _badness(table, column)
    n = badness.shape[1]
    full = rankdata(_means(badness, np.ones((1, n))), axis=1)[0]
    within = rankdata(np.where(np.isnan(badness), np.inf, badness), axis=0).mean(axis=1)
    draws = generator(settings.seed, "ranking", column.key).integers(0, n, (settings.bootstraps, n))
    means = _means(badness, np.stack([np.bincount(patients, minlength=n) for patients in draws]))
    ranks = rankdata(means, axis=1)
    low, high = np.quantile(ranks, (0.025, 0.975), axis=0, method="inverted_cdf")
    best = means == means.min(axis=1, keepdims=True)
    return Ranking(
        metric=column.metric.name,
        bootstraps=settings.bootstraps,
        mean_then_rank=_named(table.labels, full),
        rank_then_mean=_named(table.labels, within),
        first=_named(table.labels, (best / best.sum(axis=1, keepdims=True)).mean(axis=0)),
        rank_low=_named(table.labels, low),
        rank_high=_named(table.labels, high),
        counts=_counts(table.labels, rankdata(means, method="min", axis=1)),
        kendall_tau=median_tau(ranks, full),
    )


def median_tau(ranks: NDArray[np.float64], full: NDArray[np.float64]) -> float | None:
    """Median of Kendall's tau-b between each row of `ranks` (bootstraps, methods) and `full`; None where undefined.

    As `scipy.stats.kendalltau`, for all rows at once; rows in which all are tied have no tau.
    """
    i, j = np.triu_indices(len(full), 1)
    own, others = np.sign(full[i] - full[j]), np.sign(ranks[:, i] - ranks[:, j])
    scale = np.sqrt((own**2).sum() * (others**2).sum(axis=1))
    if not scale.any():
        return None
    return float(np.median((others @ own)[scale > 0] / scale[scale > 0]))


def _badness(table: ScoreTable, column: Column) -> NDArray[np.float64]:
    """Values (methods, cases), lower is better, NaN where there is none; cases in order of their names."""
    cases = sorted(table.members[column.key])
    columns = [table.column(column.key, label) for label in table.labels]
    values = np.array([[own[case] for case in cases] for own in columns], dtype=float)
    return -values if column.higher_is_better else values


def _means(badness: NDArray[np.float64], weights: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Means (resamples, methods) of badness (methods, cases) under weights (resamples, cases); inf without a value."""
    given = ~np.isnan(badness)
    sums = weights @ np.where(given, badness, 0.0).T
    counts = weights @ given.T.astype(float)
    return np.where(counts > 0, snapped(sums / np.maximum(counts, 1.0)), np.inf)


def _counts(labels: Sequence[str], places: NDArray[np.int64]) -> dict[str, tuple[int, ...]]:
    """How often each method took each place, 1 first."""
    return {
        label: tuple(int((places[:, i] == place + 1).sum()) for place in range(len(labels)))
        for i, label in enumerate(labels)
    }


def _named(labels: Sequence[str], numbers: NDArray[np.float64]) -> Mapping[str, float]:
    return {label: float(number) for label, number in zip(labels, numbers, strict=True)}
