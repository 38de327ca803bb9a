"""A comparison as a table in the terminal: readable in 80 columns and in 160, with colour and without."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from unseg_bench.compare.comparison import Cell, Column, ColumnTest, Comparison, MethodRow

BEST, SECOND, STAR, BELOW = "a", "b", "*", "!"
"""Marks after a number or a name: best, second best of a column, significant, below the floor."""
_STYLES = {BEST: "bold", SECOND: "underline"}
_DIGITS = 2


def print_comparison(comparison: Comparison, console: Console, *, by_size: bool = False) -> None:
    """Print the table with its footnotes; `by_size` adds DSC by groups of tumour size, below where width is short."""
    overall = [column for column in comparison.columns if column.group is None]
    groups = [column for column in comparison.columns if column.group is not None and column.metric == "dsc"]
    by_group = groups if by_size else []
    shown = [*overall, *by_group]
    wide = _table(comparison, shown, labels=True)
    parts: list[RenderableType] = [wide]
    if by_group and _width(wide, console) > console.width:
        parts = [_table(comparison, overall, labels=True), *_stacked(comparison, by_group, console)]
    console.print(Group(_title(comparison), *parts, *_footnotes(comparison, shown)))


def _title(comparison: Comparison) -> Text:
    cases = len(comparison.cases)
    return Text(
        f"{comparison.dataset}, split {comparison.split}, {comparison.part}: {cases} case{'s' if cases != 1 else ''}",
        style="bold",
    )


def _stacked(comparison: Comparison, columns: Sequence[Column], console: Console) -> list[RenderableType]:
    """The size groups with one decimal less, in as few tables as the width allows."""
    parts: list[RenderableType] = []
    rest = list(columns)
    while rest:
        count = len(rest)
        while count > 1 and _width(_table(comparison, rest[:count], digits=_DIGITS - 1), console) > console.width:
            count -= 1
        parts += [Text(""), _table(comparison, rest[:count], digits=_DIGITS - 1)]
        rest = rest[count:]
    return parts


def _width(table: Table, console: Console) -> int:
    """Columns of the terminal that a table takes when nothing is folded."""
    return table.__rich_measure__(console, console.options.update(width=10_000)).maximum


def _table(comparison: Comparison, columns: Sequence[Column], *, labels: bool = False, digits: int = _DIGITS) -> Table:
    """One table with a row per method; `labels` adds the column on what was measured about labels."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", collapse_padding=True)
    table.add_column("method", overflow="fold", vertical="bottom")
    if labels:
        table.add_column("label-free", overflow="fold", vertical="bottom")
    cells: list[list[Text]] = []
    for column in columns:
        table.add_column(_heading(column), no_wrap=True, vertical="bottom")
        cells.append(_cells(comparison, column, digits))
    for row, texts in zip(comparison.rows, zip(*cells, strict=True), strict=True):
        table.add_row(_name(row), *([row.label_free] if labels else []), *texts)
    return table


def _heading(column: Column) -> str:
    """Name of a column, and of a size group the volumes in ml and the number of cases."""
    if column.group is None:
        return "DSC %" if column.metric == "dsc" else "HD95 mm"
    ends = dict.fromkeys((f"{column.low_ml:.3g}", f"{column.high_ml:.3g}"))
    return f"{column.group}\n{'-'.join(ends)}\nn={column.n}"


def _name(row: MethodRow) -> Text:
    text = Text(row.label)
    if row.below_floor:
        text.append(f" {BELOW}", style="red")
    return text


def _cells(comparison: Comparison, column: Column, digits: int) -> list[Text]:
    """Mean ± spread and marks of every row, the decimal points in line."""
    test = comparison.test(column.key)
    factor = 100.0 if column.metric == "dsc" else 1.0
    means = [f"{factor * row.cells[column.key].mean:.{digits}f}" for row in comparison.rows]
    width = max(map(len, means))
    return [
        _cell(mean.rjust(width), _spread(row.cells[column.key], factor, digits), row, test)
        for mean, row in zip(means, comparison.rows, strict=True)
    ]


def _cell(mean: str, spread: str, row: MethodRow, test: ColumnTest) -> Text:
    """One number with its marks, which are letters so that they survive without colour."""
    ranks = {test.best: BEST, test.second: SECOND} if test.second is not None else {}
    rank = ranks.get(row.label, "")
    text = Text(" " * (len(mean) - len(mean.lstrip())))
    text.append(f"{mean.lstrip()}±{spread}", style=_STYLES.get(rank, ""))
    text.append(rank + (STAR if rank == BEST and test.significant else ""))
    return text


def _spread(cell: Cell, factor: float, digits: int) -> str:
    return "-" if cell.sd is None else f"{factor * cell.sd:.{digits}f}"


def _footnotes(comparison: Comparison, columns: Sequence[Column]) -> list[Text]:
    """What every mark and number means, what is undefined, and what the table is no evidence of."""
    by_size = any(column.group is not None for column in columns)
    lines = [
        f"mean±sd over cases (sd: n in the denominator); {BEST} best, {SECOND} second best of the column; "
        f"{STAR} best against second best, paired t-test, p < {comparison.alpha:g}, uncorrected",
        *(["size groups: equal numbers of cases in order of the reference's tumour volume, ranges in ml"] * by_size),
        _rules(comparison),
        *_undefined(comparison, columns),
        *_rows(comparison),
        *comparison.notes,
    ]
    notes = [Text(line, style="dim") for line in lines]
    if not comparison.evidence:
        notes.append(Text("phantom figures are no evidence about the real methods", style="bold yellow"))
    return notes


def _rules(comparison: Comparison) -> str:
    rules = comparison.scoring_rules
    return f"HD95: {rules.get('hd95', '?')}; empty masks: {rules.get('empty', '?')}"


def _undefined(comparison: Comparison, columns: Sequence[Column]) -> list[str]:
    """The columns in which best and second best could not be tested, or have one mean."""
    lines: dict[str, list[str]] = {}
    for column in columns:
        test = comparison.test(column.key)
        if test.second is None:
            continue
        name = _heading(column).splitlines()[0]
        if test.reason:
            lines.setdefault(f"no p ({test.reason})", []).append(name)
        if test.tied:
            lines.setdefault(f"{BEST} and {SECOND} have the same mean", []).append(name)
    return [f"{what}: {', '.join(names)}" for what, names in lines.items()]


def _rows(comparison: Comparison) -> list[str]:
    """What must be said of single methods: below the floor, empty predictions, seeds."""
    lines: list[str] = []
    below = [row.label for row in comparison.rows if row.below_floor]
    if below:
        lines.append(f"{BELOW} below the floor {comparison.floor} in mean DSC: {', '.join(below)}")
    for row in comparison.rows:
        empty = row.cells["dsc"].empty_predictions
        if empty:
            total = len(comparison.cases) * len(row.seeds)
            lines.append(f"{row.label}: {empty} of {total} predictions are empty")
        if row.dsc_seed_sd is not None:
            lines.append(
                f"{row.label}: mean of {len(row.seeds)} seeds within each case; "
                f"their mean DSC spread by {100 * row.dsc_seed_sd:.2f} points (sd)"
            )
    return lines
