"""A comparison in the terminal: readable in 80 columns and in 160, with colour and without."""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich.console import Console, RenderableType
from rich.text import Text

from unseg_bench.compare.claims import claims as claims_of
from unseg_bench.compare.comparison import Comparison, Metric
from unseg_bench.report.layout import BEST, SECOND, fits, lines_of
from unseg_bench.report.notes import CLAIMS_TITLE, warnings
from unseg_bench.report.statistics_tables import statistics_tables
from unseg_bench.report.tables import false_claims_table, group_table, main_table, policies_table
from unseg_bench.report.text_table import TextTable, rank_legend


def print_comparison(
    comparison: Comparison,
    console: Console,
    *,
    metrics: Sequence[Metric] = (),
    policies: bool = False,
    statistics: bool = False,
    claims: bool = False,
) -> None:
    """Print the table of scores with its footnotes, the false claims where published rows are, and what is asked for.

    metrics: whose groups are shown, below the overall columns where width is short. policies: HD95 under every policy
    on empty masks. statistics: all tables of them, if the comparison has any. claims: the sentences that it carries,
    and those that it does not.
    """
    for part in _scores(comparison, metrics, console):
        console.print(part)
    tables = [
        *([policies_table(comparison)] if policies else []),
        *([false_claims_table(comparison, comparison.published)] if comparison.published is not None else []),
        *(statistics_tables(comparison, digits=1) if statistics else []),
    ]
    said: set[str] = set()
    for table in tables:
        new = [note for note in table.notes if note not in said]
        said.update(new)
        for part in (Text(), Text(table.title, style="bold"), *lines_of(table, console), *_notes(new)):
            console.print(part)
    if claims:
        console.print(Text(f"\n{CLAIMS_TITLE}", style="bold"))
        for claim in claims_of(comparison):
            hung = wrap(claim.text, console.width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
            console.print(Text("\n".join(hung)))
    for warning in warnings(comparison):
        console.print(Text(warning, style="bold yellow"))


def _scores(comparison: Comparison, metrics: Sequence[Metric], console: Console) -> list[RenderableType]:
    """The main table in one where it fits, else the groups below it with one decimal less; the notes once."""
    whole = main_table(comparison, metrics)
    parts: list[RenderableType] = [Text(whole.title, style="bold")]
    if not metrics or fits(whole, console.width):
        parts += lines_of(whole, console)
    else:
        parts += lines_of(main_table(comparison), console)
        for metric in metrics:
            groups = group_table(comparison, metric, digits=1)
            parts += [Text(), Text(groups.title, style="bold"), *lines_of(groups, console)]
    return [*parts, *_notes(_with_legend(whole))]


def _with_legend(table: TextTable) -> tuple[str, ...]:
    return (*([rank_legend(BEST, SECOND)] if table.ranked else []), *table.notes)


def _notes(notes: Iterable[str]) -> list[Text]:
    return [Text(note, style="dim") for note in notes]
