"""Pairs of methods in a column, and the named families that they are corrected in."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from unseg_bench.compare.comparison import Column
from unseg_bench.compare.statistics.draws import generator, oriented
from unseg_bench.compare.statistics.intervals import FEW, bca_interval, in_few, median_interval, t_interval
from unseg_bench.compare.statistics.record import Equivalence, Family, Pair, StatisticsSettings, TestResult
from unseg_bench.compare.statistics.samples import outliers
from unseg_bench.compare.statistics.significance import (
    dz,
    equivalence,
    hodges_lehmann,
    rank_biserial,
    sign_flip,
    sign_test,
    t_test,
    wilcoxon,
    wins_ties_losses,
    worst_case_p,
)
from unseg_bench.compare.values import ScoreTable
from unseg_bench.compare.wording import scaled
from unseg_bench.score.metrics import DEFAULT, DSC

TESTS = ("t", "sign_flip", "wilcoxon", "sign", "equivalence")
"""Fields of a pair that hold a p value; each is corrected on its own."""


def families(table: ScoreTable, reference: str, named: bool, settings: StatisticsSettings) -> tuple[Family, ...]:
    """The three families that are fixed beforehand: overall DSC, overall HD95, DSC of the groups; then others.

    The reference stands against each other method, in the order of labels. Groups are exploratory always, and so is any
    other metric that was asked for; the first two where the data chose the reference (`named` False): it could have
    been any of k methods, so that k / 2 pairs count for each one that is tested.
    """
    among = chosen_among(table, named)
    rivals = [label for label in table.labels if label != reference]
    against = f"{reference} against each other method"
    overall = [column for column in table.columns if column.group is None]
    wanted = [
        (
            f"overall-{column.metric.short}",
            f"{column.metric.title} over all cases: {against}",
            [column],
            column.metric not in DEFAULT or not named,
        )
        for column in overall
    ]
    groups = [column for column in table.columns if column.group is not None and column.metric == DSC]
    wanted.insert(len(DEFAULT), ("groups", f"DSC in each group: {against}", groups, True))
    return tuple(
        Family(
            key,
            title,
            settings.correction,
            exploratory,
            _pairs(table, columns, reference, rivals, among, settings),
            among,
        )
        for key, title, columns, exploratory in wanted
    )


def floor_family(table: ScoreTable, floor: str, floors: Sequence[str], settings: StatisticsSettings) -> Family:
    """The best floor against each method whose mean DSC is below its own; exploratory, since the data chose them.

    Corrected over every floor with every method that is none.
    """
    column = next(column for column in table.columns if column.key == "dsc")
    others = [label for label in table.labels if label not in floors]
    below = [label for label in others if _mean(table, label) < _mean(table, floor)]
    among = len(others) * len(floors) / max(1, len(below))
    pairs = _pairs(table, [column], floor, below, among, settings)
    title = f"DSC over all cases: the floor {floor} against each method below it"
    return Family("floor", title, settings.correction, True, pairs, among)


def chosen_among(table: ScoreTable, named: bool) -> float:
    """How many pairs count for each one tested: 1, or k / 2 where the data chose the reference among k methods."""
    return 1.0 if named else len(table.labels) / 2


def adjusted(p_values: Sequence[float | None], correction: str, among: float = 1.0) -> list[float | None]:
    """P values corrected together by 'holm' or 'fdr_by'; those without a number do not count.

    Each that is given stands for `among` tests, of which the others count as p = 1 (rounded up in all).

    As `statsmodels.stats.multitest.multipletests(p, method=correction)`, which collects the process's garbage on every
    call and so would take longer than all the tests.
    """
    from scipy.stats import false_discovery_control

    own = [p for p in p_values if p is not None]
    given = np.array([*own, *[1.0] * (math.ceil(len(own) * among) - len(own))])
    if correction == "holm":
        corrected = iter(_holm(given).tolist())
    else:
        corrected = iter(np.asarray(false_discovery_control(given, method="by")).tolist() if len(given) else ())
    return [None if p is None else next(corrected) for p in p_values]


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's step-down (Scandinavian Journal of Statistics 6 (1979) 65): the smallest of m times m, the next m - 1."""
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return corrected


def _pairs(
    table: ScoreTable,
    columns: Sequence[Column],
    reference: str,
    rivals: Sequence[str],
    among: float,
    settings: StatisticsSettings,
) -> tuple[Pair, ...]:
    """The reference against each rival in each column, every test corrected over all of them."""
    found = [_pair(table, column, reference, rival, settings) for column in columns for rival in rivals]
    pairs = [pair for pair in found if pair is not None]
    for test in TESTS:
        results: list[TestResult | Equivalence | None] = [getattr(pair, test) for pair in pairs]
        corrected = adjusted([result.p if result else None for result in results], settings.correction, among)
        pairs = [
            replace(pair, **{test: replace(result, p_adjusted=p)}) if result else pair
            for pair, result, p in zip(pairs, results, corrected, strict=True)
        ]
    return tuple(pairs)


def _pair(table: ScoreTable, column: Column, a: str, b: str, settings: StatisticsSettings) -> Pair | None:
    """Method a against b in a column, p values not corrected yet; None where they have no case in common."""
    ones, others = (np.array(values) for values in table.pairs(column.key, a, b))
    if len(ones) == 0:
        return None
    d = ones - others
    canonical, sign = oriented(d, a, b)
    key = (column.key, *sorted((a, b)))
    flipped, exact = sign_flip(canonical, settings.resamples, generator(settings.seed, "sign-flip", *key))
    few = in_few(column)
    bca = FEW if few else bca_interval(canonical, settings.resamples, generator(settings.seed, "bca", *key))
    mean = float(d.mean())
    wins, ties, losses = wins_ties_losses(d, column.higher_is_better)
    return Pair(
        column=column.key,
        a=a,
        b=b,
        n=len(d),
        mean_difference=mean,
        t_interval=FEW if few else t_interval(d),
        bca_interval=scaled(bca, sign),
        t=t_test(d),
        sign_flip=flipped if flipped.p is None else replace(flipped, statistic=mean),
        sign_flip_exact=exact,
        wilcoxon=wilcoxon(d),
        sign=sign_test(d),
        median_difference=float(np.median(d)),
        median_interval=median_interval(d),
        outliers=outliers(d, settings.margin if column.metric == DSC else 0.0),
        worst_case_p=_worst_case(ones, others, table.worst_of(column.key), column.higher_is_better),
        dz=dz(d),
        rank_biserial=rank_biserial(d),
        hodges_lehmann=hodges_lehmann(d),
        wins=wins,
        ties=ties,
        losses=losses,
        equivalence=equivalence(ones, others, settings.margin) if column.metric == DSC else None,
    )


def _worst_case(
    a: NDArray[np.float64], b: NDArray[np.float64], worst: float | None, higher_is_better: bool
) -> float | None:
    """`worst_case_p` of whichever method leads: it fails on a case that the other does as on average."""
    leads = a - b if higher_is_better else b - a
    mean = float(leads.mean())
    if mean == 0.0 or worst is None:
        return None
    other = float((b if mean > 0 else a).mean())
    return worst_case_p(leads if mean > 0 else -leads, -abs(other - worst))


def _mean(table: ScoreTable, label: str) -> float:
    """Mean DSC over all cases, as the table's."""
    return fmean(value for value in table.column("dsc", label).values() if value is not None)
