"""A comparison's tables of scores as words and marks: the main table, by group, policies, published claims."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from unseg_bench.compare.comparison import (
    Cell,
    Column,
    Comparison,
    FalseClaim,
    MethodRow,
    PolicyCell,
    PolicyRow,
    Published,
    PublishedRow,
)
from unseg_bench.compare.standing import SECTIONS
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.notes import comparison_title, name_cell, score_notes, warnings
from unseg_bench.report.numbers import DASH, amount, digits_for, mean_and_spread, rank, share, signed, volume_range
from unseg_bench.report.text_table import (
    Emphasis,
    TextCell,
    TextColumn,
    TextSection,
    TextTable,
    plain_columns,
    text_row,
)
from unseg_bench.score.metrics import HD95

POLICY_MARK = "‡"
"""After the name of a method whose place is not the same under every policy on empty masks."""
_CORRELATIONS = {"0.0": "0", "0.5": ".5", "0.9": ".9"}
_POLICY_HEADINGS: Mapping[str, str] = {
    "diagonal": "diagonal\nmm (place)",
    "exclude": "exclude\nmm (place)",
    "zero": "zero\nmm (place)",
    "rank": "rank\nmean (place)",
}


def main_table(comparison: Comparison, metrics: Sequence[Metric] = ()) -> TextTable:
    """The paper's Table 1: every metric over all cases, then the groups' columns of `metrics`; a row a method."""
    columns = [column for column in comparison.columns if column.group is None]
    columns += [column for metric in metrics for column in _groups(comparison, metric)]
    return _scores(comparison, "main", comparison_title(comparison), columns, None, main=True)


def group_table(comparison: Comparison, metric: Metric, digits: int | None = None) -> TextTable:
    """One metric by group, without the overall columns: what a page or a terminal is wide enough for.

    digits: of every number, or more where that tells them apart; None: the metric's own.
    """
    title = f"{metric.heading} by {comparison.grouping}"
    return _scores(comparison, f"{metric.name}-by-group", title, _groups(comparison, metric), digits, main=False)


def policies_table(comparison: Comparison) -> TextTable:
    """Overall HD95 under every policy on empty masks, side by side; the policy in use is said in the notes."""
    policies = list(dict.fromkeys(policy for row in comparison.policies for policy in row.cells))
    digits = {policy: digits_for((row.cells[policy].mean for row in comparison.policies), HD95) for policy in policies}
    rows = tuple(
        (
            _policy_name(comparison, row),
            TextCell(str(row.empty_predictions)),
            *(_policy_cell(comparison, row.cells[policy], digits[policy]) for policy in policies),
        )
        for row in comparison.policies
    )
    notes = [
        f"mean HD95 under each policy on cases with one empty mask; all other tables have '{comparison.empty}'",
        "diagonal: the image's; exclude: left out, n where that leaves fewer; zero: 0 mm, as in the authors' code, "
        "which rewards finding nothing; rank: the worst rank within the case, and the mean of the ranks",
    ]
    changed = any(row.rank_changes for row in comparison.policies)
    notes += [f"{POLICY_MARK} its place changes with the policy"] if changed else ["no place changes with the policy"]
    return TextTable(
        key="policies",
        title="HD95 over all cases under each policy on empty masks",
        columns=plain_columns(
            "method", "empty\npredictions", *(_POLICY_HEADINGS.get(name, name) for name in policies), words=("method",)
        ),
        sections=(TextSection(rows),),
        notes=tuple(notes),
        warnings=warnings(comparison),
    )


def false_claims_table(comparison: Comparison, published: Published) -> TextTable:
    """How sure the printed table's claims are, from printed means and deviations alone: a row a claim."""
    keys = list(dict.fromkeys(claim.column for claim in published.false_claims))
    claims: dict[tuple[bool, str, str], dict[str, FalseClaim]] = {}
    for claim in published.false_claims:
        claims.setdefault((claim.measured, claim.better, claim.worse), {})[claim.column] = claim
    headings = {column.key: column.group for column in comparison.columns}
    named = [headings.get(key) or ("all cases" if ":" not in key else key.partition(":")[2].title()) for key in keys]
    sections = [
        TextSection(
            tuple(
                (TextCell(better), TextCell(worse), *(_claim_cell(found.get(key)) for key in keys))
                for (measured, better, worse), found in claims.items()
                if measured is wanted
            ),
            title,
        )
        for wanted, title in ((False, "as printed"), (True, "measured here against printed"))
    ]
    return TextTable(
        key="false-claims",
        title="Probability that 'better beats worse' in mean DSC is false, from means and deviations alone",
        columns=plain_columns("better", "worse", *named, words=("better", "worse")),
        sections=tuple(section for section in sections if section.rows),
        notes=(f"for correlations of the two methods over cases of {'/'.join(_CORRELATIONS.values())}, assumed",),
        warnings=warnings(comparison),
        lead=2,
    )


def score_tables(comparison: Comparison) -> tuple[TextTable, ...]:
    """The main table with DSC by group, the other metrics by group, the policies, and the false claims if any."""
    first, *others = comparison.metrics
    groups = [group_table(comparison, metric) for metric in others if _groups(comparison, metric)]
    return (main_table(comparison, (first,)), *groups, *further_tables(comparison))


def further_tables(comparison: Comparison) -> tuple[TextTable, ...]:
    """What stands after the scores: the policies, and the false claims where there are published rows."""
    published = comparison.published
    return (
        policies_table(comparison),
        *([false_claims_table(comparison, published)] if published is not None else []),
    )


def _groups(comparison: Comparison, metric: Metric) -> list[Column]:
    return [column for column in comparison.columns if column.group is not None and column.metric == metric]


def _scores(
    comparison: Comparison, key: str, title: str, columns: Sequence[Column], digits: int | None, *, main: bool
) -> TextTable:
    """Rows of means; `main`: with the column on labels, and the metric in every heading."""
    heads = [TextColumn(("method",), number=False), *([TextColumn(("label-free",), number=False)] if main else [])]
    own_digits = [
        digits_for((row.cells[column.key].mean for row in comparison.rows), column.metric, digits) for column in columns
    ]
    sections = [
        TextSection(tuple(_row(comparison, row, columns, own_digits, main=main) for row in rows), name)
        for name in SECTIONS
        if (rows := [row for row in comparison.rows if row.section == name])
    ]
    return TextTable(
        key=key,
        title=title,
        columns=(*heads, *(_heading(column, with_metric=main) for column in columns)),
        sections=(*sections, *_published(comparison.published, columns, digits, main=main)),
        notes=score_notes(comparison, columns),
        warnings=warnings(comparison),
        ranked=any(comparison.test(column.key).second is not None for column in columns),
    )


def _row(
    comparison: Comparison, row: MethodRow, columns: Sequence[Column], digits: Sequence[int], *, main: bool
) -> tuple[TextCell, ...]:
    return (
        name_cell(comparison, row.label),
        *([TextCell(row.label_free)] if main else []),
        *(
            _score_cell(comparison, column, row.label, row.cells[column.key], own)
            for column, own in zip(columns, digits, strict=True)
        ),
    )


def _heading(column: Column, *, with_metric: bool) -> TextColumn:
    """Name of a column, of a group also the volumes in ml; the number of cases, and those without a tumour."""
    metric = column.metric.heading
    lines = [metric] if column.group is None else [column.group, *([metric] if with_metric else [])]
    if column.group is not None:
        lines.append(volume_range(column.low_ml, column.high_ml))
    lines.append(f"{'ml, ' if column.group is not None else ''}n={column.n}")
    if column.empty_references:
        lines.append(f"{column.empty_references} no tumour")
    return TextColumn(tuple(lines))


def _score_cell(comparison: Comparison, column: Column, label: str, cell: Cell, digits: int) -> TextCell:
    """Mean and spread; best and second best; what the mean hides: '2e' empty predictions, '1m' missing, 'n=13'."""
    emphasis = _emphasis(comparison, column, label)
    marks = (
        *([f"{cell.empty_predictions}e"] if cell.empty_predictions else []),
        *([f"{cell.missing}m"] if cell.missing else []),
        *([f"n={cell.n}"] if cell.n != column.n and not (cell.n == 0 and cell.missing) else []),
    )
    text = mean_and_spread(cell.mean, cell.sd, column.metric, digits)
    return TextCell(text, emphasis, star=emphasis == "best" and comparison.test(column.key).significant, marks=marks)


def _emphasis(comparison: Comparison, column: Column, label: str) -> Emphasis:
    """Best or second best of the column; rows of one mean look alike."""
    test = comparison.test(column.key)
    if label in test.firsts:
        return "best"
    return "second" if label in test.seconds else ""


def _published(
    published: Published | None, columns: Sequence[Column], digits: int | None, *, main: bool
) -> tuple[TextSection, ...]:
    """The printed rows below a rule; nothing where they have none of the columns."""
    if published is None or not any(column.key in row.cells for row in published.rows for column in columns):
        return ()
    data = "the same cases" if published.same_cases else "other data"
    return (
        TextSection(
            tuple(_published_row(row, columns, digits, main=main) for row in published.rows),
            f"published, {data}: {published.source}",
        ),
    )


def _published_row(
    row: PublishedRow, columns: Sequence[Column], digits: int | None, *, main: bool
) -> tuple[TextCell, ...]:
    cells = [(row.cells.get(column.key), column.metric) for column in columns]
    numbers = [DASH if cell is None else mean_and_spread(cell.mean, cell.sd, metric, digits) for cell, metric in cells]
    return tuple(map(TextCell, (f"{row.label} (published)", *([row.label_free] if main else []), *numbers)))


def _policy_name(comparison: Comparison, row: PolicyRow) -> TextCell:
    name = name_cell(comparison, row.label)
    return TextCell(name.text, marks=(*name.marks, *([POLICY_MARK] if row.rank_changes else [])))


def _policy_cell(comparison: Comparison, cell: PolicyCell, digits: int) -> TextCell:
    """'33.17 (3)', with n where the policy leaves cases out."""
    mean = amount(cell.mean, HD95, digits) if cell.mean is not None else DASH
    text = mean if cell.rank is None else f"{mean} ({rank(cell.rank)})"
    return TextCell(text, marks=(f"n={cell.n}",) if cell.n != len(comparison.cases) else ())


def _claim_cell(claim: FalseClaim | None) -> TextCell:
    if claim is None:
        return TextCell(DASH)
    return TextCell("/".join(share(claim.by_correlation.get(r)) for r in _CORRELATIONS))


def mean_difference(comparison: Comparison, metric: Metric, label: str, reference: str) -> float | None:
    """Return the mean over cases of a row minus the reference, DSC 0-1; None without a case that both have."""
    values = {
        name: {entry.case: entry.values[metric.name] for entry in comparison.entries if entry.label == name}
        for name in (label, reference)
    }
    pairs = [(value, values[reference].get(case)) for case, value in values[label].items()]
    known = [one - other for one, other in pairs if one is not None and other is not None]
    return fmean(known) if known else None


def difference_table(comparison: Comparison, reference: str) -> TextTable:
    """Return a row per label: its mean of each metric minus that of `reference`, case by case, without tests.

    Different means print differently, and none that is not 0 as 0.
    """
    labels = [label for label in comparison.labels if label != reference]
    means = {
        metric: {label: mean_difference(comparison, metric, label, reference) for label in labels}
        for metric in comparison.metrics
    }
    digits = {metric: digits_for((0.0, *own.values()), metric) for metric, own in means.items()}
    rows = tuple(
        text_row(label, *(signed(means[metric][label], metric, digits[metric]) for metric in means)) for label in labels
    )
    headings = [f"{metric.title}\n{metric.difference_unit}" for metric in means]
    return TextTable(
        key="differences",
        title=f"Mean difference to '{reference}'",
        columns=plain_columns("row", *headings, words=("row",)),
        sections=(TextSection(rows),),
    )
