"""How far the seeds of a method lie apart: beside the tests, which see their average only."""

from statistics import stdev

from unseg_bench.compare.score_table import ScoreTable
from unseg_bench.compare.statistics.record import SeedSpread


def seed_spreads(table: ScoreTable) -> tuple[SeedSpread, ...]:
    """Mean by seed of each metric and method, and the standard deviation (ddof 1) of those means."""
    return tuple(
        SeedSpread(label, name, dict(means), stdev(means.values()) if len(means) > 1 else None)
        for name, by_label in table.seed_means.items()
        for label in table.labels
        if (means := by_label[label])
    )
