"""A table of scores in, all of its statistics out."""

from collections.abc import Sequence
from statistics import fmean, stdev

import numpy as np

from unseg_bench.compare.comparison import Column
from unseg_bench.compare.statistics.draws import generator
from unseg_bench.compare.statistics.families import chosen_among, families, floor_family
from unseg_bench.compare.statistics.friedman import friedman
from unseg_bench.compare.statistics.interaction import interactions
from unseg_bench.compare.statistics.intervals import FEW, bca_interval, in_few, t_interval
from unseg_bench.compare.statistics.ranking import ranking
from unseg_bench.compare.statistics.record import MeanInterval, SeedSpread, Statistics, StatisticsSettings
from unseg_bench.compare.values import ScoreTable
from unseg_bench.errors import SettingsError
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.score.metrics import DSC


def compute_statistics(
    table: ScoreTable, settings: StatisticsSettings, floor: str | None = None, floors: Sequence[str] = ()
) -> Statistics:
    """Compute tests, intervals, ranks and sizes of a comparison; the same table and settings give the same numbers.

    The reference is `settings.reference`, or of the labels that compete the one with the best mean DSC over all cases
    (the first of equals). floor: the best of `floors`, the labels of rules that learn nothing; methods below it are
    tested against it.
    Raises: SettingsError where no method has that label.
    """
    reference = _reference(table, settings.reference)
    named = settings.reference is not None
    overall = [column for column in table.columns if column.group is None]
    return Statistics(
        settings=settings,
        reference=reference,
        reference_named=named,
        families=(
            *families(table, reference, named, settings),
            *([] if floor is None or floor == reference else [floor_family(table, floor, floors, settings)]),
        ),
        mean_intervals=tuple(
            _mean_interval(table, column, label, settings) for column in table.columns for label in table.labels
        ),
        friedman=tuple(friedman(table, column) for column in overall),
        rankings=tuple(ranking(table, column, settings) for column in overall),
        interactions=tuple(
            one
            for column in overall
            if column.metric == DSC
            for one in interactions(table, column, reference, chosen_among(table, named), settings)
        ),
        seeds=seed_spreads(table),
        units={key: len(members) for key, members in table.members.items()},
    )


def _reference(table: ScoreTable, wanted: str | None) -> str:
    """The label to compare with."""
    if wanted is None:
        means = {label: _mean_dsc(table, label) for label in table.competing}
        return max(means, key=lambda label: means[label])
    if wanted not in table.labels:
        raise SettingsError(
            f"--reference {wanted}: no method of this comparison has that label.{did_you_mean(wanted, table.labels)}"
        )
    return wanted


def _mean_dsc(table: ScoreTable, label: str) -> float:
    """Mean DSC over the cases that the method has, below every DSC where it has none."""
    values = [value for value in table.column("dsc", label).values() if value is not None]
    return fmean(values) if values else -1.0


def _mean_interval(table: ScoreTable, column: Column, label: str, settings: StatisticsSettings) -> MeanInterval:
    """One method's mean in a column, with its intervals."""
    values = np.sort([value for value in table.column(column.key, label).values() if value is not None]).astype(float)
    return MeanInterval(
        label=label,
        column=column.key,
        n=len(values),
        mean=float(values.mean()) if len(values) else None,
        t_interval=FEW if in_few(column) else t_interval(values),
        bca_interval=FEW
        if in_few(column)
        else bca_interval(values, settings.resamples, generator(settings.seed, "mean", column.key, label)),
    )


def seed_spreads(table: ScoreTable) -> tuple[SeedSpread, ...]:
    """Mean by seed of each metric and method, and the standard deviation (ddof 1) of those means.

    It stands beside the tests, which see the average of the seeds only.
    """
    return tuple(
        SeedSpread(label, name, dict(means), stdev(means.values()) if len(means) > 1 else None)
        for name, by_label in table.seed_means.items()
        for label in table.labels
        if (means := by_label[label])
    )
