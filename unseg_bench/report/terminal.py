"""A comparison as a table in the terminal: readable in 80 columns and in 160, with colour and without."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from unseg_bench.compare.comparison import Cell, Column, ColumnTest, Comparison, MethodRow

BEST, SECOND, STAR, BELOW = "a", "b", "*", "!"
"""Marks after a number or a name: best and second best of a column, significant, below the floor."""
_STYLES = {BEST: "bold", SECOND: "underline"}
_DIGITS = 2


def print_comparison(comparison: Comparison, console: Console, *, by_size: bool = False) -> None:
    """Print the table with its footnotes; `by_size` adds DSC by groups of tumour size, apart where the width needs it."""
    overall = [column for column in comparison.columns if column.group is None]
    by_group = [column for column in comparison.columns if column.group is not None] if by_size else []
    wide = _table(comparison, [*overall, *by_group], labels=True)
    parts: list[RenderableType]
    if by_group and wide.__rich_measure__(console, console.options.update(width=10_000)).maximum > console.width:
        parts = [_table(comparison, overall, labels=True), *_stacked(comparison, by_group, console)]
    else:
        parts = [wide]
    shown = [*overall, *by_group]
    console.print(Group(_title(comparison), *parts, *_footnotes(comparison, shown)))


def _title(comparison: Comparison) -> Text:
    cases = len(comparison.cases)
    return Text(
        f"{comparison.dataset}, split {comparison.split}, {comparison.part}: {cases} case{'s' if cases != 1 else ''}",
        style="bold",
    )


def _stacked(comparison: Comparison, columns: Sequence[Column], console: Console) -> list[RenderableType]:
    """The columns in as few tables as the width allows."""
    tables: list[RenderableType] = []
    rest = list(columns)
    while rest:
        count = len(rest)
        while count > 1 and _width(_table(comparison, rest[:count], labels=False), console) > console.width:
            count -= 1
        tables.append(_table(comparison, rest[:count], labels=False))
        rest = rest[count:]
    return tables


def _width(table: Table, console: Console) -> int:
    """Columns of the terminal that a table takes when nothing is folded."""
    return table.__rich_measure__(console, console.options.update(width=10_000)).maximum


def _table(comparison: Comparison, columns: Sequence[Column], *, labels: bool) -> Table:
    """One table with a row per method; `labels` adds the column on what was measured about labels."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", collapse_padding=True)
    table.add_column("method", overflow="fold")
    if labels:
        table.add_column("label-free", overflow="fold")
    for column in columns:
        table.add_column(_heading(column), justify="right", no_wrap=True)
    tests = [comparison.test(column.key) for column in columns]
    for row in comparison.rows:
        cells = [_cell(row, column, test) for column, test in zip(columns, tests, strict=True)]
        table.add_row(_name(row), *([row.label_free] if labels else []), *cells)
    return table


def _heading(column: Column) -> str:
    """Name of a column, and of a size group the volumes and the number of cases."""
    if column.group is None:
        return "DSC %" if column.metric == "dsc" else "HD95 mm"
    return f"{column.group}\n{column.low_ml:.3g}-{column.high_ml:.3g} ml\nn={column.n}"


def _name(row: MethodRow) -> Text:
    text = Text(row.label)
    if row.below_floor:
        text.append(f" {BELOW}", style="red")
    return text


def _cell(row: MethodRow, column: Column, test: ColumnTest) -> Text:
    """Mean ± spread, and the marks; two places for the marks are kept free so that the points stand in line."""
    cell = row.cells[column.key]
    ranks = {test.best: BEST, test.second: SECOND} if test.second is not None else {}
    rank = ranks.get(row.label, "")
    star = STAR if rank == BEST and test.significant else ""
    text = Text(_number(cell, 100.0 if column.metric == "dsc" else 1.0), style=_STYLES.get(rank, ""))
    text.append((rank + star).ljust(2), style="not underline")
    return text


def _number(cell: Cell, factor: float) -> str:
    spread = "-" if cell.sd is None else f"{factor * cell.sd:.{_DIGITS}f}"
    return f"{factor * cell.mean:.{_DIGITS}f}±{spread}"


def _footnotes(comparison: Comparison, columns: Sequence[Column]) -> list[Text]:
    """What every mark and number means, what is undefined, and what the table is no evidence of."""
    lines = [
        f"mean±sd over cases (sd: n in the denominator); {BEST} best, {SECOND} second best of the column; "
        f"{STAR} best against second best, paired t-test, p < {comparison.alpha:g}, uncorrected",
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
        if row.empty_predictions:
            total = len(comparison.cases) * len(row.seeds)
            lines.append(f"{row.label}: {row.empty_predictions} of {total} predictions are empty")
        if row.dsc_seed_sd is not None:
            lines.append(
                f"{row.label}: mean of {len(row.seeds)} seeds within each case; "
                f"their mean DSC spread by {100 * row.dsc_seed_sd:.2f} points (sd)"
            )
    return lines
