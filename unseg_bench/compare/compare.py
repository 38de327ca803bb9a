"""Scores of runs in, one comparison out."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from unseg_bench.compare.comparison import Cell, Column, ColumnTest, Comparison, MethodRow, Metric
from unseg_bench.compare.groups import FEW_CASES, SizeGroup, size_groups
from unseg_bench.compare.inputs import RunScores, check_runs
from unseg_bench.compare.paired import paired_t_test
from unseg_bench.score.record import Flag

ALPHA = 0.001
"""The paper's threshold for its star (CLISC, Table 1): p < 0.001, per column, uncorrected."""

_Values = dict[str, dict[str, float]]
"""metric -> case -> value, seeds averaged."""


def compare(runs: Sequence[RunScores], groups: int = 5, *, alpha: float = ALPHA) -> Comparison:
    """Compare runs on the same cases, overall and by groups of tumour size.

    Args: runs of one data set, split, part and rules; groups of size, equal in number; alpha of the star. Rows keep the
    order in which their labels first come. Raises: ScoreError where runs do not belong together (see `check_runs`).
    """
    check_runs(runs)
    first = runs[0]
    sizes = size_groups({score.case: score.tumour_ml for score in first.scores}, groups)
    everything = tuple(case for group in sizes for case in group.cases)
    members = {"dsc": everything, "hd95_mm": everything} | {_group_key(group): group.cases for group in sizes}
    columns = _columns(sizes, len(everything))
    labels = list(dict.fromkeys(run.label for run in runs))
    by_label = {label: [run for run in runs if run.label == label] for label in labels}
    values = {label: _values(by_label[label], everything) for label in labels}
    means = {label: fmean(values[label]["dsc"].values()) for label in labels}
    floor = _best_floor(by_label, means)
    return Comparison(
        dataset=first.dataset,
        split=first.split,
        part=first.part,
        evidence=first.evidence,
        scoring_rules=dict(first.scoring_rules),
        cases=everything,
        alpha=alpha,
        floor=floor,
        columns=columns,
        rows=tuple(
            _row(by_label[label], values[label], columns, members, means[floor] if floor else None) for label in labels
        ),
        tests=tuple(_test(column, members[column.key], values, alpha) for column in columns),
        notes=_notes(sizes, groups, first),
    )


def _group_key(group: SizeGroup) -> str:
    return "dsc:" + group.name.lower().replace(" ", "-")


def _columns(sizes: Sequence[SizeGroup], n: int) -> tuple[Column, ...]:
    """DSC and HD95 of all cases, then DSC of each group."""
    low, high = sizes[0].low_ml, sizes[-1].high_ml
    overall = [
        Column("dsc", "dsc", None, True, n, low, high, n < FEW_CASES),
        Column("hd95_mm", "hd95_mm", None, False, n, low, high, n < FEW_CASES),
    ]
    by_size = [
        Column(_group_key(group), "dsc", group.name, True, len(group.cases), group.low_ml, group.high_ml, group.few)
        for group in sizes
    ]
    return (*overall, *by_size)


def _values(runs: Sequence[RunScores], cases: Sequence[str]) -> _Values:
    """Scores of one method by metric and case, its seeds averaged within the case."""
    scores = [{score.case: score for score in run.scores} for run in runs]
    return {
        "dsc": {case: fmean(seed[case].dsc for seed in scores) for case in cases},
        "hd95_mm": {case: fmean(seed[case].hd95_mm for seed in scores) for case in cases},
    }


def _best_floor(by_label: Mapping[str, Sequence[RunScores]], means: Mapping[str, float]) -> str | None:
    """Label of the floor with the highest mean DSC, or None without a floor."""
    floors = [label for label, runs in by_label.items() if runs[0].is_floor]
    return max(floors, key=lambda label: means[label]) if floors else None


def _row(
    runs: Sequence[RunScores],
    values: _Values,
    columns: Sequence[Column],
    members: Mapping[str, Sequence[str]],
    floor_dsc: float | None,
) -> MethodRow:
    """One method's row."""
    first = runs[0]
    seed_means = [fmean(score.dsc for score in run.scores) for run in runs]
    cells = {column.key: _cell(column.metric, members[column.key], values) for column in columns}
    return MethodRow(
        method=first.method,
        label=first.label,
        label_free=", ".join(dict.fromkeys(run.label_free for run in runs)),
        is_floor=first.is_floor,
        below_floor=not first.is_floor and floor_dsc is not None and cells["dsc"].mean < floor_dsc,
        seeds=tuple(run.seed for run in runs),
        dsc_seed_sd=pstdev(seed_means) if len(runs) > 1 else None,
        empty_predictions=sum(Flag.EMPTY_PREDICTION in score.flags for run in runs for score in run.scores),
        cells=cells,
    )


def _cell(metric: Metric, cases: Sequence[str], values: _Values) -> Cell:
    """Mean and spread of one metric over some cases."""
    numbers = [values[metric][case] for case in cases]
    return Cell(fmean(numbers), pstdev(numbers) if len(numbers) > 1 else None, len(numbers))


def _test(column: Column, cases: Sequence[str], values: Mapping[str, _Values], alpha: float) -> ColumnTest:
    """The column's best method against its second best; of equal means the row that comes first is called best."""
    numbers = {label: [own[column.metric][case] for case in cases] for label, own in values.items()}
    sign = -1.0 if column.higher_is_better else 1.0
    best, *others = sorted(numbers, key=lambda label: sign * fmean(numbers[label]))
    if not others:
        return ColumnTest(column.key, best, None, False, None, None, "one method only", False)
    second = others[0]
    tied = fmean(numbers[best]) == fmean(numbers[second])
    result = paired_t_test(numbers[best], numbers[second])
    significant = result.p is not None and result.p < alpha
    return ColumnTest(column.key, best, second, tied, result.t, result.p, result.reason, significant)


def _notes(sizes: Sequence[SizeGroup], asked: int, run: RunScores) -> tuple[str, ...]:
    """What a reader must know about groups and cases."""
    notes: list[str] = []
    if len(sizes) < asked:
        found = "1 case: 1 size group" if len(sizes) == 1 else f"{len(sizes)} cases: {len(sizes)} size groups"
        notes.append(f"only {found} instead of {asked}")
    few = [group.name for group in sizes if group.few]
    if few:
        which = "every size group" if len(few) == len(sizes) else ", ".join(few)
        notes.append(f"fewer than {FEW_CASES} cases in {which}: such means say little")
    for one, other in pairwise(sizes):
        if one.high_ml == other.low_ml:
            notes.append(
                f"{one.name} and {other.name} share the volume {one.high_ml:.6g} ml: ordered there by case name"
            )
    healthy = sum(score.tumour_ml == 0.0 for score in run.scores)
    if healthy:
        notes.append(f"{healthy} of {len(run.scores)} cases have no tumour in the reference")
    return tuple(notes)
