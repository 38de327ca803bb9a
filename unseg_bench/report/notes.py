"""What must be said below a table: how to read it, what its means hide, what it is no evidence of."""

from collections.abc import Callable, Sequence

from unseg_bench.compare.comparison import Cell, Column, Comparison, Published
from unseg_bench.compare.standing import SECTIONS
from unseg_bench.plugins.metric import DIAGONAL
from unseg_bench.report.numbers import fixed, signed
from unseg_bench.report.text_table import TextCell
from unseg_bench.score.metrics import DEFAULT, DSC
from unseg_bench.words import count_text

BELOW_FLOOR = "†"
"""After the name of a learned method whose mean DSC is below that of the best floor."""
FAILED = "failed"
"""After the name of a method of which a run has no scores; the notes say why."""
STAR = "*"
"""After the best mean of a column that is significantly better than the second best."""
NO_EVIDENCE = "phantom figures are no evidence about the real methods"

_HD95 = {"pooled": "95th percentile of the surface distances of both directions together"}
_EMPTY = {
    "diagonal": "counts as the diagonal of its image",
    "exclude": "is left out",
    "zero": "counts as 0 mm",
}

CLAIMS_TITLE = "What these figures carry, and what they do not"
"""Above the sentences of `compare.claims`."""


def comparison_title(comparison: Comparison) -> str:
    """Return 'brats2020, split default, test: 75 cases', or '2 of 20 cases' where no mean is over all."""
    n, planned = len(comparison.cases), comparison.planned
    cases = count_text(n, "case") if n == planned else f"{n} of {count_text(planned, 'case')}"
    return f"{comparison.dataset}, split {comparison.split}, {comparison.part}: {cases}"


def name_cell(comparison: Comparison, label: str) -> TextCell:
    """Return a method's name with its marks, below the floor and failed; any other text as it is."""
    rows = [row for row in comparison.rows if row.label == label]
    below, failed = any(row.below_floor for row in rows), any(row.failure for row in rows)
    return TextCell(label, marks=(*([BELOW_FLOOR] if below else []), *([FAILED] if failed else [])))


def warnings(comparison: Comparison) -> tuple[str, ...]:
    """Return what a reader must not miss: methods below the floor, and that a phantom is no evidence."""
    below = [row.label for row in comparison.rows if row.below_floor]
    return (
        *([f"{BELOW_FLOOR} below the floor {comparison.floor} in mean DSC: {', '.join(below)}"] if below else []),
        *([] if comparison.evidence else [NO_EVIDENCE]),
    )


def score_notes(comparison: Comparison, columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the notes below a table of means in these columns."""
    return (
        "mean±sd over cases (sd: n in the denominator)",
        *_star(comparison, columns),
        *_groups(comparison, columns),
        *_rules(comparison),
        *_counts(comparison),
        *_untested(comparison, columns),
        *_seeds(comparison),
        *comparison.notes,
        *_published(comparison.published, columns),
    )


def _star(comparison: Comparison, columns: Sequence[Column]) -> list[str]:
    """Which rows the best is among, over which cases, and what the star says."""
    tests = [comparison.test(column.key) for column in columns]
    if all(test.second is None for test in tests):
        return []
    fewer = [
        f"{column_name(column)} {test.n} of {column.n}"
        for column, test in zip(columns, tests, strict=True)
        if test.second is not None and test.n < column.n
    ]
    standing = {row.section for row in comparison.rows}
    apart = [name for name in SECTIONS if name in standing and name]
    return [
        *([f"best and second best are among the rows above '{apart[0]}'"] if apart else []),
        f"{STAR} best against second best, paired t-test, p < {comparison.alpha:g}, per column, uncorrected",
        *([f"ranked and tested over the cases that all these rows have: {', '.join(fewer)}"] if fewer else []),
    ]


def _groups(comparison: Comparison, columns: Sequence[Column]) -> list[str]:
    if all(column.group is None for column in columns):
        return []
    if comparison.grouping == "tumour size":
        how = "size groups: equal numbers of cases in order of the reference's tumour volume; ranges in ml"
    else:
        how = f"groups: {comparison.grouping} of the cohort's table; ranges are of the reference's tumour volume"
    return [how, *comparison.group_notes]


def _rules(comparison: Comparison) -> list[str]:
    """How HD95 was measured, what it is where there is nothing to measure, and what other metrics are."""
    rule, empty = str(comparison.scoring_rules.get("hd95", "?")), _EMPTY[comparison.empty]
    others = [metric for metric in comparison.metrics if metric not in DEFAULT]
    return [
        f"HD95: {_HD95.get(rule, rule)}; a case of which one mask is empty {empty}",
        *(
            f"{metric.title}: {metric.about}; {'higher' if metric.higher_is_better else 'lower'} is better"
            f"{f'; a case of which one mask is empty {empty}' if metric.worst == DIAGONAL else ''}"
            for metric in others
        ),
    ]


def _counts(comparison: Comparison) -> list[str]:
    """What '2e', '1m' and 'n=13' mean, with every method's counts over all cases."""
    empty = _of_methods(comparison, lambda cell: cell.empty_predictions)
    missing = _of_methods(comparison, lambda cell: cell.missing)
    measured = [row for row in comparison.rows if row.label in comparison.measured]
    fewer = any(row.cells[column.key].n != column.n for row in measured for column in comparison.columns)
    return [
        *([f"e: predictions without a voxel on a case with a tumour: {empty}"] if empty else []),
        *([f"m: cases without a prediction: {missing}"] if missing else []),
        *(["n: cases in the mean, where it is not over all"] if fewer else []),
    ]


def _of_methods(comparison: Comparison, number: Callable[[Cell], int]) -> str:
    counts = [(row, number(row.cells["dsc"])) for row in comparison.rows]
    return ", ".join(f"{row.label} {found} of {comparison.planned * len(row.seeds)}" for row, found in counts if found)


def _untested(comparison: Comparison, columns: Sequence[Column]) -> list[str]:
    """The columns in which best and second best could not be tested, or have one mean."""
    lines: dict[str, list[str]] = {}
    for column in columns:
        test = comparison.test(column.key)
        if test.second is None:
            continue
        name = column_name(column)
        if test.reason:
            lines.setdefault(f"no p ({test.reason})", []).append(name)
        if test.tied:
            lines.setdefault("best and second best have the same mean", []).append(name)
    return [f"{what}: {', '.join(names)}" for what, names in lines.items()]


def column_name(column: Column) -> str:
    """Return a column in a sentence: 'DSC %', 'Tiny DSC %'."""
    return " ".join(filter(None, (column.group, column.metric.heading)))


def _seeds(comparison: Comparison) -> list[str]:
    """Which rows are means over seeds, and how far those lie apart."""
    words = [
        f"{row.label} {fixed(100 * row.dsc_seed_sd, 2)} ({len(row.seeds)} seeds)"
        for row in comparison.rows
        if row.dsc_seed_sd is not None
    ]
    what = "seeds are averaged within each case; sd of the seeds' mean DSC, in points (n-1 in the denominator)"
    return [f"{what}: {', '.join(words)}"] if words else []


def _published(published: Published | None, columns: Sequence[Column]) -> list[str]:
    """Whether the printed rows agree with themselves."""
    if published is None or not any(column.key == "dsc" for column in columns):
        return []
    other = f"; on other data: {published.why_other}" if published.why_other else ""
    notes = [f"published rows are as printed, neither measured nor tested here{other}"]
    if published.audit:
        differences = ", ".join(f"{row.label} {signed(row.difference, DSC)}" for row in published.audit)
        what = "published overall DSC minus the mean of its five groups, which is 0 where groups are equal"
        notes.append(f"{what}: {differences}")
    return notes
