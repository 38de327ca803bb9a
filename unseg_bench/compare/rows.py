"""What each method did: its row of the table, its cases, and how the best of a column fares against the second."""

from collections.abc import Sequence
from statistics import fmean, pstdev, stdev

from unseg_bench.compare.comparison import CaseEntry, Cell, Column, ColumnTest, MethodRow
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.paired import paired_t_test
from unseg_bench.compare.score_table import ScoreTable
from unseg_bench.compare.values import Scored, mean_of, missed_tumour, value_of
from unseg_bench.score.record import CaseScore


def method_rows(
    runs: Sequence[RunScores], scored: Scored, table: ScoreTable
) -> tuple[tuple[MethodRow, ...], str | None]:
    """The rows in the order of the labels, and the label of the best floor (by mean DSC), None without a floor."""
    cells = {
        label: {column.key: _cell(table, column, label, scored) for column in table.columns} for label in table.labels
    }
    dsc = {label: fmean(value for value in table.values["dsc"][label].values() if value is not None) for label in cells}
    floors = list(dict.fromkeys(run.label for run in runs if run.is_floor))
    floor = max(floors, key=lambda label: dsc[label]) if floors else None
    rows: list[MethodRow] = []
    for label in table.labels:
        own = [run for run in runs if run.label == label]
        seed_means = table.seed_means["dsc"][label].values()
        rows.append(
            MethodRow(
                method=own[0].method,
                label=label,
                label_free=", ".join(dict.fromkeys(run.label_free for run in own)),
                is_floor=own[0].is_floor,
                below_floor=floor is not None and not own[0].is_floor and dsc[label] < dsc[floor],
                seeds=tuple(scored[label]),
                dsc_seed_sd=stdev(seed_means) if len(seed_means) > 1 else None,
                cells=cells[label],
            )
        )
    return tuple(rows), floor


def _cell(table: ScoreTable, column: Column, label: str, scored: Scored) -> Cell:
    """Mean and spread of one method in one column, and what the mean hides."""
    cases = table.members[column.key]
    values = [value for value in table.column(column.key, label).values() if value is not None]
    seeds = scored[label].values()
    return Cell(
        mean=mean_of(values),
        sd=pstdev(values) if len(values) > 1 else None,
        n=len(values),
        empty_predictions=sum(missed_tumour(scores[case]) for scores in seeds for case in cases if case in scores),
        missing=sum(case not in scores for scores in seeds for case in cases),
    )


def column_test(table: ScoreTable, column: Column, alpha: float) -> ColumnTest:
    """The column's best method against its second best, over the cases that both have a value for.

    Of equal means the row that comes first is called best; a method without any value is neither.
    """
    found = {label: mean_of(table.column(column.key, label).values()) for label in table.labels}
    means = {label: mean for label, mean in found.items() if mean is not None}
    sign = -1.0 if column.higher_is_better else 1.0
    best, second, *_ = [*sorted(means, key=lambda label: sign * means[label]), None, None]
    if best is None or second is None:
        reason = "one method only" if len(found) == 1 else "no other method has a case left"
        reason = "no case is left" if best is None else reason
        return ColumnTest(column.key, best, None, False, None, None, reason, False)
    tied = means[best] == means[second]
    ones, others = table.pairs(column.key, best, second)
    if not ones:
        return ColumnTest(column.key, best, second, tied, None, None, "no case in common", False)
    result = paired_t_test(ones, others)
    significant = result.p is not None and result.p < alpha
    return ColumnTest(column.key, best, second, tied, result.t, result.p, result.reason, significant)


def case_entries(scored: Scored, table: ScoreTable, empty: str) -> tuple[CaseEntry, ...]:
    """Every case as every method did it, by label and then in the table's order of cases."""
    groups = {
        case: column.group for column in table.columns if column.group is not None for case in table.members[column.key]
    }
    return tuple(
        _entry(label, case, groups[case], table.tumour_ml[case], own, empty)
        for label, seeds in scored.items()
        for case in table.cases
        for own in [[scores[case] for scores in seeds.values() if case in scores]]
    )


def _entry(label: str, case: str, group: str, tumour_ml: float, seeds: Sequence[CaseScore], empty: str) -> CaseEntry:
    return CaseEntry(
        label=label,
        case=case,
        group=group,
        tumour_ml=tumour_ml,
        predicted_ml=mean_of(score.predicted_ml for score in seeds),
        dsc=mean_of(score.dsc for score in seeds),
        hd95_mm=mean_of(value_of(score, "hd95_mm", empty, score.diagonal_mm) for score in seeds),
        seeds=len(seeds),
        empty_predictions=sum(map(missed_tumour, seeds)),
    )
