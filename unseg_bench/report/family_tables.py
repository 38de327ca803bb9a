"""One family of tests as two tables of words: how large the differences are, and what each test says of them."""

from collections.abc import Callable, Iterable

from unseg_bench.compare.comparison import Column, Comparison
from unseg_bench.compare.statistics.record import Equivalence, Family, Interval, Pair, Statistics, TestResult
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.notes import column_name, name_cell, warnings
from unseg_bench.report.numbers import amount, digits_for, fixed, interval_text, p_value, p_values, signed
from unseg_bench.report.text_table import TextCell, TextSection, TextTable, plain_columns
from unseg_bench.score.metrics import DSC
from unseg_bench.words import count_text

_CORRECTIONS = {"holm": "Holm", "fdr_by": "Benjamini-Yekutieli"}


def family_tables(
    comparison: Comparison, statistics: Statistics, family: Family, digits: int | None = None
) -> tuple[TextTable, ...]:
    """The differences and the tests of one family; nothing for a family without pairs."""
    if not family.pairs:
        return ()
    return (_differences(comparison, family, digits), _tests(comparison, statistics, family))


def correction_name(correction: str) -> str:
    """Return a correction as a paper names it."""
    return _CORRECTIONS.get(correction, correction)


def reasons(lacking: str, found: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    """Return notes on what is lacking, from (whose, why or None): 'no interval (one case only): a, b'.

    `lacking` '': the reason alone is said, 'one case without a tumour left out: a, b'.
    """
    by_reason: dict[str, list[str]] = {}
    for whose, why in found:
        if why and whose not in by_reason.setdefault(why, []):
            by_reason[why].append(whose)
    return tuple(f"{f'{lacking} ({why})' if lacking else why}: {', '.join(names)}" for why, names in by_reason.items())


def _differences(comparison: Comparison, family: Family, digits: int | None) -> TextTable:
    """Mean difference with its intervals, effect sizes, wins."""
    columns = {column.key: column for column in comparison.columns}
    metrics = {columns[pair.column].metric for pair in family.pairs}
    own_digits = {
        metric: digits_for(
            (0.0, *(pair.mean_difference for pair in family.pairs if columns[pair.column].metric == metric)),
            metric,
            digits,
        )
        for metric in metrics
    }
    rows = tuple(
        (
            *_who(comparison, family, pair, columns[pair.column]),
            *map(TextCell, _effects(pair, metric := columns[pair.column].metric, own_digits[metric])),
        )
        for pair in family.pairs
    )
    unit = "/".join(dict.fromkeys(columns[pair.column].metric.difference_unit for pair in family.pairs))
    means = ("n", f"mean d\n{unit}", "95 %\nt", "95 %\nBCa")
    headings = (*means, f"median d\n{unit}", "95 %", "dz", "rank-\nbis.", "HL", "W/T/L", "far")
    return TextTable(
        key=f"{family.key}-differences",
        title=f"{_title(family)}: differences",
        columns=plain_columns(*_who_headings(family), *headings, words=_who_headings(family)),
        sections=(TextSection(rows),),
        notes=(
            f"d: {_subject(family)} per case; dz: mean(d)/sd(d); rank-bis.: rank-biserial "
            "correlation of matched pairs; HL: Hodges-Lehmann, the median of the means of pairs of d; W/T/L: cases in "
            f"which {'it' if _one_reference(family) else 'a'} is better, equal, worse; far: cases beyond Tukey's outer "
            "fences (3 interquartile ranges)",
            *_missing(
                family,
                columns,
                "no interval",
                lambda pair: (pair.t_interval, pair.bca_interval, pair.median_interval),
            ),
        ),
        warnings=warnings(comparison),
        lead=len(_who_headings(family)),
    )


def _tests(comparison: Comparison, statistics: Statistics, family: Family) -> TextTable:
    """The p of each test, as it is and corrected within the family, the hypotheses in words below."""
    columns = {column.key: column for column in comparison.columns}
    by = correction_name(family.correction)
    margin = amount(statistics.settings.margin, DSC, 1)
    equivalence = any(pair.equivalence is not None for pair in family.pairs)
    tests = ("sign-flip", "t-test", "Wilcoxon", "sign test", *([f"TOST ±{margin}"] * equivalence))
    rows = tuple(
        (
            *_who(comparison, family, pair, columns[pair.column]),
            *(
                TextCell(p_values(None, None) if test is None else p_values(test.p, test.p_adjusted))
                for test in (pair.sign_flip, pair.t, pair.wilcoxon, pair.sign, pair.equivalence)[: len(tests)]
            ),
            TextCell(p_value(pair.worst_case_p)),
        )
        for pair in family.pairs
    )
    exact = all(pair.sign_flip_exact for pair in family.pairs)
    drawn = f"{statistics.settings.resamples} draws of signs where n is above 15"
    return TextTable(
        key=f"{family.key}-tests",
        title=f"{_title(family)}: tests",
        columns=plain_columns(
            *_who_headings(family),
            *(f"{test}\np ({by})" for test in tests),
            "worst case\np",
            words=_who_headings(family),
        ),
        sections=(TextSection(rows),),
        notes=(
            f"{by}: corrected over {_over(family)}; claims rest on the corrected sign-flip test "
            f"({'all signs' if exact else drawn}), or where they are about the median on the corrected sign test",
            *_exploratory(statistics, family),
            *statistics.hypotheses.values(),
            "worst case: the mean lead is 0 or less, whatever the shape, and who leads may find nothing in cases too "
            "rare to be seen (not corrected)",
            *(
                [f"TOST ±{margin}: two one-sided t-tests: the mean difference lies beyond the margin (points)"]
                * equivalence
            ),
            *_missing(family, columns, "no p", lambda pair: (pair.sign_flip, pair.t, pair.wilcoxon, pair.equivalence)),
        ),
        warnings=warnings(comparison),
        lead=len(_who_headings(family)),
    )


def _over(family: Family) -> str:
    """How many tests the p values are corrected over, and which."""
    tested = f"the {count_text(family.tested, 'comparison')} of this family that have a p"
    if family.corrected_over == family.tested:
        return tested
    return f"{family.corrected_over} comparisons: {tested}, and those that they were chosen among"


def _exploratory(statistics: Statistics, family: Family) -> list[str]:
    """Why a family's p values do not confirm."""
    if not family.exploratory:
        return []
    if family.key == "floor":
        return ["exploratory: the best floor, and the methods below it"]
    chosen = "" if statistics.reference_named else " (the row with the best mean DSC; --reference names one beforehand)"
    return [f"exploratory{chosen}: these p values suggest, they do not confirm"]


def _title(family: Family) -> str:
    return f"{family.title}{' (exploratory)' if family.exploratory else ''}"


def _one_reference(family: Family) -> bool:
    return len({pair.a for pair in family.pairs}) == 1


def _subject(family: Family) -> str:
    """What is subtracted from what."""
    return f"{family.pairs[0].a} minus the method named" if _one_reference(family) else "a minus b"


def _who_headings(family: Family) -> tuple[str, ...]:
    grouped = len({pair.column for pair in family.pairs}) > 1
    return (*(["group"] * grouped), *(["method"] if _one_reference(family) else ["a", "b"]))


def _who(comparison: Comparison, family: Family, pair: Pair, column: Column) -> list[TextCell]:
    """The cells that name a row: group, method a unless it is the same in all rows, method b."""
    grouped = len({one.column for one in family.pairs}) > 1
    labels = [pair.b] if _one_reference(family) else [pair.a, pair.b]
    metrics = len({one.column.partition(":")[0] for one in family.pairs})
    group = column_name(column) if metrics > 1 else column.group or "all cases"
    return [*([TextCell(group)] if grouped else []), *(name_cell(comparison, label) for label in labels)]


def _effects(pair: Pair, metric: Metric, digits: int) -> tuple[str, ...]:
    return (
        str(pair.n),
        signed(pair.mean_difference, metric, digits),
        interval_text(pair.t_interval, metric, digits),
        interval_text(pair.bca_interval, metric, digits),
        signed(pair.median_difference, metric, digits),
        interval_text(pair.median_interval, metric, digits),
        fixed(pair.dz, 2),
        fixed(pair.rank_biserial, 2),
        signed(pair.hodges_lehmann, metric, digits),
        f"{pair.wins}/{pair.ties}/{pair.losses}",
        str(pair.outliers),
    )


def _missing(
    family: Family,
    columns: dict[str, Column],
    lacking: str,
    results: Callable[[Pair], Iterable[Interval | TestResult | Equivalence | None]],
) -> tuple[str, ...]:
    """Why some of a pair's results have no number."""
    grouped = len({pair.column for pair in family.pairs}) > 1
    return reasons(
        lacking,
        (
            (f"{column_name(columns[pair.column])} {pair.b}" if grouped else pair.b, result.reason)
            for pair in family.pairs
            for result in results(pair)
            if result is not None
        ),
    )
