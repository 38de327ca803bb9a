"""What each method did: its row of the table, its cases, and how the best of a column fares against the second."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import pstdev, stdev

from unseg_bench.compare.comparison import CaseEntry, Cell, Column, ColumnTest, MethodRow
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.paired import paired_t_test
from unseg_bench.compare.values import Scored, ScoreTable, mean_of, missed_tumour
from unseg_bench.score.record import CaseScore


def method_rows(
    runs: Sequence[RunScores], scored: Scored, table: ScoreTable, standing: Mapping[str, str]
) -> tuple[tuple[MethodRow, ...], str | None]:
    """The rows in the order of the labels, and the label of the best floor (by mean DSC), None without a floor.

    standing: the section of every label.
    """
    planned = planned_cases(runs)
    cells = {
        label: {column.key: _cell(table, column, label, scored, planned) for column in table.columns}
        for label in standing
    }
    dsc = {label: own["dsc"].mean for label, own in cells.items()}
    floors = [label for label in dict.fromkeys(run.label for run in runs if run.is_floor) if dsc[label] is not None]
    floor = max(floors, key=lambda label: dsc[label] or 0.0, default=None)
    rows = [
        _row([run for run in runs if run.label == label], table, cells[label], standing[label]) for label in standing
    ]
    lowest = dsc[floor] if floor is not None else None
    return tuple(replace(row, below_floor=_below(dsc[row.label], lowest) and not row.is_floor) for row in rows), floor


def planned_cases(runs: Sequence[RunScores]) -> set[str]:
    """All cases that the runs of a comparison were to do."""
    return set[str]().union(*(run.planned for run in runs))


def _below(mean: float | None, lowest: float | None) -> bool:
    return mean is not None and lowest is not None and mean < lowest


def _row(runs: Sequence[RunScores], table: ScoreTable, cells: dict[str, Cell], section: str) -> MethodRow:
    """One label's row, its place against the floor not known yet."""
    first = runs[0]
    seed_means = table.seed_means["dsc"][first.label].values()
    failures = {run.seed: run.failure for run in runs if run.failure is not None}
    if len(failures) == len(runs) == 1:
        failure = first.failure
    else:
        failure = "; ".join(f"seed {seed}: {why}" for seed, why in failures.items()) or None
    return MethodRow(
        method=first.method,
        label=first.label,
        label_free=", ".join(dict.fromkeys(run.label_free for run in runs)),
        is_floor=first.is_floor,
        is_ceiling=first.is_ceiling,
        section=section,
        failure=failure,
        below_floor=False,
        seeds=tuple(sorted(run.seed for run in runs)),
        dsc_seed_sd=stdev(seed_means) if len(seed_means) > 1 else None,
        cells=cells,
    )


def _cell(table: ScoreTable, column: Column, label: str, scored: Scored, planned: set[str]) -> Cell:
    """Mean and spread of one method in one column, and what the mean hides."""
    cases = table.members[column.key]
    values = [value for value in table.column(column.key, label).values() if value is not None]
    seeds = scored[label].values()
    wanted = planned if column.group is None else cases
    return Cell(
        mean=mean_of(values),
        sd=pstdev(values) if len(values) > 1 else None,
        n=len(values),
        empty_predictions=sum(missed_tumour(scores[case]) for scores in seeds for case in cases if case in scores),
        missing=sum(case not in scores for scores in seeds for case in wanted),
    )


def column_test(table: ScoreTable, column: Column, alpha: float) -> ColumnTest:
    """The column's best method against its second best, of those that compete.

    Ranked and tested over the cases for which all of them have a value, so that the test cannot contradict the rank; a
    method without any value is neither. Of equal means the row that comes first is called best.
    """
    own = {label: table.column(column.key, label) for label in table.competing}
    own = {label: values for label, values in own.items() if any(value is not None for value in values.values())}
    cases = [case for case in table.members[column.key] if all(values[case] is not None for values in own.values())]
    means = {label: mean_of(values[case] for case in cases) for label, values in own.items()}
    reason = _why_no_second(table.competing, own, cases)
    if reason is not None:
        best = next(iter(own)) if len(own) == 1 else None
        return ColumnTest(column.key, best, None, False, None, None, reason, False, len(cases))
    sign = -1.0 if column.higher_is_better else 1.0
    best, second, *_ = sorted(own, key=lambda label: sign * (means[label] or 0.0))
    a, b = ([value for case in cases if (value := own[label][case]) is not None] for label in (best, second))
    tied, result = means[best] == means[second], paired_t_test(a, b)
    significant = not tied and result.p is not None and result.p < alpha
    firsts, seconds = (tuple(one for one in own if means[one] == means[label]) for label in (best, second))
    return ColumnTest(
        column.key, best, second, tied, result.t, result.p, result.reason, significant, len(cases), firsts,
        () if tied else seconds,
    )  # fmt: skip


def _why_no_second(
    competing: Sequence[str], own: Mapping[str, Mapping[str, float | None]], cases: Sequence[str]
) -> str | None:
    """Why no two methods of a column can be ranked, None where they can."""
    if not own:
        return "no case is left"
    if len(own) == 1:
        return "one method only" if len(competing) == 1 else "no other method has a case left"
    return None if cases else "no case in common"


def case_entries(
    scored: Scored, table: ScoreTable, planned: set[str], confidences: Mapping[str, Mapping[str, float]]
) -> tuple[CaseEntry, ...]:
    """Every case as every method did it, by label and then in the table's order of cases.

    After them the cases that a method lacks and that are in no mean of anybody's, in order of their names.
    confidences: by label and case.
    """
    groups = {
        case: column.group for column in table.columns if column.group is not None for case in table.members[column.key]
    }
    left = sorted(planned.difference(table.cases))
    return tuple(
        _entry(label, case, groups.get(case) or "", table, list(seeds.values()), confidences.get(label, {}).get(case))
        for label, seeds in scored.items()
        for case in (*table.cases, *(case for case in left if not all(case in scores for scores in seeds.values())))
    )


def _entry(
    label: str,
    case: str,
    group: str,
    table: ScoreTable,
    seeds: Sequence[Mapping[str, CaseScore]],
    confidence: float | None,
) -> CaseEntry:
    found = [scores[case] for scores in seeds if case in scores]
    return CaseEntry(
        label=label,
        case=case,
        group=group,
        tumour_ml=table.tumour_ml.get(case),
        predicted_ml=mean_of(score.predicted_ml for score in found),
        values={name: own[label].get(case) for name, own in table.values.items()},
        seeds=len(found),
        empty_predictions=sum(map(missed_tumour, found)),
        missing=len(seeds) - len(found),
        confidence=confidence,
    )
