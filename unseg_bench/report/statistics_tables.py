"""A comparison's statistics as tables of words: families of tests, intervals, ranks, tumour size, seeds."""

from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase

from unseg_bench.compare.comparison import Column, Comparison
from unseg_bench.compare.statistics.record import Friedman, Interval, MeanInterval, Ranking, Statistics
from unseg_bench.compare.wording import digits_apart
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.family_tables import correction_name, family_tables, reasons
from unseg_bench.report.notes import name_cell, warnings
from unseg_bench.report.numbers import (
    DASH,
    amount,
    digits_for,
    fixed,
    interval_text,
    p_value,
    p_values,
    rank,
    share,
    signed,
    volume_range,
)
from unseg_bench.report.text_table import TextCell, TextColumn, TextSection, TextTable, plain_columns
from unseg_bench.score.metrics import DSC

_INTERVALS: Mapping[str, Callable[[MeanInterval], Interval]] = {
    "Student's t": lambda found: found.t_interval,
    "BCa": lambda found: found.bca_interval,
}


def statistics_tables(comparison: Comparison, digits: int | None = None) -> tuple[TextTable, ...]:
    """All tables of the statistics, in the order of reading; none where there are no statistics.

    digits: decimals of scores, None: each metric's own.
    """
    found = comparison.statistics
    if found is None:
        return ()
    families = [table for family in found.families for table in family_tables(comparison, found, family, digits)]
    intervals = [
        interval_table(comparison, found, metric, kind, digits)
        for metric in comparison.metrics
        for kind in _INTERVALS
        if any(one.column.partition(":")[0] == metric.name for one in found.mean_intervals)
    ]
    return (
        *families,
        *intervals,
        *([friedman_table(comparison, found)] if found.friedman else []),
        *(ranking_table(comparison, ranking) for ranking in found.rankings),
        *([interactions_table(comparison, found, digits)] if found.interactions else []),
        *([seeds_table(comparison, found)] if any(len(spread.means) > 1 for spread in found.seeds) else []),
    )


def interval_table(
    comparison: Comparison, statistics: Statistics, metric: Metric, kind: str, digits: int | None = None
) -> TextTable:
    """95 % intervals of one metric's means, of one kind ('Student's t', 'BCa'): a row a method, a column a group."""
    columns = [column for column in comparison.columns if column.metric == metric]
    found = {(one.label, one.column): _INTERVALS[kind](one) for one in statistics.mean_intervals}
    columns = [column for column in columns if any(key == column.key for _, key in found)]
    nothing = Interval(None, None)
    rows = tuple(
        (
            name_cell(comparison, label),
            *(TextCell(interval_text(found.get((label, column.key), nothing), metric, digits)) for column in columns),
        )
        for label in comparison.measured
    )
    why = reasons(
        "no interval",
        (
            (f"{column.group or 'all cases'} {label}", found.get((label, column.key), nothing).reason)
            for column in columns
            for label in comparison.measured
        ),
    )
    shown = [
        found[label, column.key] for column in columns for label in comparison.measured if (label, column.key) in found
    ]
    notes = (f"bias-corrected and accelerated bootstrap of patients, {statistics.settings.resamples} draws",)
    if kind == "Student's t":
        notes = _beyond(metric, shown)
    return TextTable(
        key=f"intervals-{metric.name}-{kind.rsplit(maxsplit=1)[-1].lower()}",
        title=f"{metric.heading}: 95 % intervals of the means ({kind})",
        columns=(TextColumn(("method",), number=False), *map(_interval_heading, columns)),
        sections=(TextSection(rows),),
        notes=(*notes, *why),
        warnings=warnings(comparison),
    )


def friedman_table(comparison: Comparison, statistics: Statistics) -> TextTable:
    """Mean ranks of all methods at once, and the sets that Nemenyi's critical difference does not tell apart."""
    tests = statistics.friedman
    first = tests[0].mean_ranks
    letters = [_letters(test) for test in tests]
    digits = [digits_apart(test.mean_ranks.values(), 2) for test in tests]
    rows = tuple(
        (
            name_cell(comparison, label),
            *(
                TextCell(text)
                for test, letter, own in zip(tests, letters, digits, strict=True)
                for text in (fixed(test.mean_ranks.get(label), own), letter.get(label, ""))
            ),
        )
        for label in sorted(comparison.measured, key=lambda label: first.get(label, float("inf")))
    )
    headings = [f"{comparison.metric(test.metric).title}\n{what}" for test in tests for what in ("mean rank", "set")]
    return TextTable(
        key="friedman",
        title="All methods at once: Friedman's test, Nemenyi's critical difference",
        columns=plain_columns("method", *headings, words=("method", *headings[1::2])),
        sections=(TextSection(rows),),
        notes=(
            *(_friedman_note(test, comparison.metric(test.metric)) for test in tests),
            *(["methods that share a letter are not told apart at .05"] if any(letters) else []),
            "mean rank: over cases, of the rank within the case; 1 is the best",
        ),
        warnings=warnings(comparison),
    )


def ranking_table(comparison: Comparison, ranking: Ranking) -> TextTable:
    """Ranks on one metric both ways, and how stable the first way is."""
    digits = digits_apart(ranking.rank_then_mean.values(), 2)
    rows = tuple(
        (
            name_cell(comparison, label),
            TextCell(rank(ranking.mean_then_rank[label])),
            TextCell(fixed(ranking.rank_then_mean[label], digits)),
            TextCell(share(ranking.first[label])),
            TextCell("–".join(dict.fromkeys((rank(ranking.rank_low[label]), rank(ranking.rank_high[label]))))),
        )
        for label in sorted(comparison.measured, key=lambda label: ranking.mean_then_rank[label])
    )
    tau = ranking.kendall_tau
    agreement = f"; Kendall's tau of their rankings to this one: median {fixed(tau, 2)}" if tau is not None else ""
    return TextTable(
        key=f"ranking-{ranking.metric}",
        title=f"{comparison.metric(ranking.metric).title}: ranks and how stable they are",
        columns=plain_columns(
            "method", "rank of\nthe mean", "mean rank\nwithin cases", "P(first)", "95 %\nranks", words=("method",)
        ),
        sections=(TextSection(rows),),
        notes=(
            f"P(first), 95 % ranks: {ranking.bootstraps} bootstraps over patients of the rank of the mean{agreement}",
        ),
        warnings=warnings(comparison),
    )


def interactions_table(comparison: Comparison, statistics: Statistics, digits: int | None = None) -> TextTable:
    """Whether the reference's lead in DSC depends on tumour size; 'better on tiny tumours' needs this."""
    found = statistics.interactions
    by = correction_name(statistics.settings.correction)
    rows = tuple(
        (
            name_cell(comparison, one.b),
            TextCell(str(one.n)),
            TextCell(signed(one.slope, DSC, digits)),
            TextCell(interval_text(one.slope_interval, DSC, digits)),
            TextCell(p_values(one.p, one.p_adjusted)),
            TextCell(f"{fixed(one.spearman.statistic, 2)} ({p_value(one.spearman.p)})"),
            TextCell(DASH if one.cases_needed is None else str(one.cases_needed)),
        )
        for one in found
    )
    headings = ("n", "points per\ndoubling", "95 %", f"p ({by})", "Spearman\n(p)", "cases for\n80 % power")
    return TextTable(
        key="interactions",
        title=f"DSC of {found[0].a} minus that of each method, against tumour size (method x log2 volume; exploratory)",
        columns=plain_columns("method", *headings, words=("method",)),
        sections=(TextSection(rows),),
        notes=(
            "points per doubling: how far the difference moves when the tumour's volume doubles (interval and p allow "
            "differences that scatter more in small tumours, HC3); a claim about small or large tumours rests on its "
            "corrected p and on Spearman's, not on two p values of groups",
            "cases for 80 % power: of a test at .05, if slope and noise are as seen here, so no more than a guess",
            *reasons("", ((one.b, one.reason) for one in found)),
        ),
        warnings=warnings(comparison),
    )


def seeds_table(comparison: Comparison, statistics: Statistics) -> TextTable:
    """Mean of every seed, and how far the means lie apart; methods with one seed are left out."""
    spreads = {(one.label, one.metric): one for one in statistics.seeds if len(one.means) > 1}
    labels = [label for label in comparison.measured if any(label == own for own, _ in spreads)]
    rows = tuple(
        (
            name_cell(comparison, label),
            TextCell(metric.heading),
            TextCell(", ".join(map(str, spreads[label, metric.name].means))),
            TextCell(", ".join(amount(mean, metric, digits) for mean in means)),
            TextCell(amount(spreads[label, metric.name].sd, metric)),
        )
        for label in labels
        for metric in comparison.metrics
        if (label, metric.name) in spreads
        for means in [spreads[label, metric.name].means.values()]
        for digits in [digits_for(means, metric)]
    )
    return TextTable(
        key="seeds",
        title="Seeds of one method",
        columns=plain_columns("method", "metric", "seeds", "means", "sd", words=("method", "metric", "seeds", "means")),
        sections=(TextSection(rows),),
        notes=("sd: of the seeds' means (n - 1 in the denominator); the tests see the mean of the seeds in each case",),
        warnings=warnings(comparison),
        lead=2,
    )


def _beyond(metric: Metric, intervals: Sequence[Interval]) -> tuple[str, ...]:
    """Said where an interval reaches what no mean can be."""
    lows = [one.low for one in intervals if one.low is not None]
    highs = [one.high for one in intervals if one.high is not None]
    ends = sorted(end for end in (metric.best, metric.worst) if isinstance(end, int | float))
    below = not (metric.higher_is_better and len(ends) == 1) and any(low < ends[0] for low in lows)
    above = (metric.higher_is_better or len(ends) == 2) and any(high > ends[-1] for high in highs)
    if not (below or above):
        return ()
    passed = f"{' or '.join(f'{metric.scale * end:g}' for end in ends)} {metric.unit}".rstrip()
    few = "few" if len(ends) == 2 else "few or too unlike"
    return (f"an interval that passes {passed} is of too {few} cases for Student's t; see the BCa one",)


def _interval_heading(column: Column) -> TextColumn:
    if column.group is None:
        return TextColumn(("all cases", f"n={column.n}"))
    return TextColumn((column.group, volume_range(column.low_ml, column.high_ml), f"ml, n={column.n}"))


def _letters(test: Friedman) -> dict[str, str]:
    """The letters of every method's sets, best set first; a method in no set has one of its own."""
    ordered = sorted(test.mean_ranks, key=lambda label: test.mean_ranks[label])
    if test.critical_difference is None:
        return {}
    alone = [(label,) for label in ordered if not any(label in clique for clique in test.cliques)]
    sets = sorted((*test.cliques, *alone), key=lambda clique: min(ordered.index(label) for label in clique))
    return {label: "".join(_letter(index) for index, clique in enumerate(sets) if label in clique) for label in ordered}


def _letter(index: int) -> str:
    """A, B, ... Z, A1, B1, ..."""
    more, at = divmod(index, len(ascii_uppercase))
    return ascii_uppercase[at] + (str(more) if more else "")


def _friedman_note(test: Friedman, metric: Metric) -> str:
    name = metric.title
    if test.reason:
        return f"{name}: no test ({test.reason}), n={test.n}"
    p = f"p={p_value(test.p)}".replace("=<", "<")
    return (
        f"{name}: Friedman's chi-square {fixed(test.statistic, 2)}, {p}, n={test.n}; "
        f"critical difference of mean ranks {fixed(test.critical_difference, 2)}"
    )
