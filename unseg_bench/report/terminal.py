"""A comparison in the terminal: readable in 80 columns and in 160, with colour and without."""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich.console import Console, RenderableType
from rich.text import Text

from unseg_bench.compare.claims import claims as claims_of
from unseg_bench.compare.comparison import Comparison
from unseg_bench.data.visible import visible
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.layout import BEST, SECOND, fits, lines_of
from unseg_bench.report.notes import CLAIMS_TITLE, warnings
from unseg_bench.report.statistics_tables import statistics_tables
from unseg_bench.report.tables import false_claims_table, group_table, main_table, policies_table
from unseg_bench.report.text_table import rank_legend


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
        title = _folded(table.title, console, "bold")
        for part in (Text(), title, *lines_of(table, console), *_notes(new, console)):
            console.print(part)
    if claims:
        console.print(Text(), _folded(CLAIMS_TITLE, console, "bold"), sep="\n")
        for claim in claims_of(comparison):
            console.print(_folded(claim.text, console, bullet="- "))
    for warning in warnings(comparison):
        console.print(_folded(warning, console, "bold yellow"))


def _scores(comparison: Comparison, metrics: Sequence[Metric], console: Console) -> list[RenderableType]:
    """The main table in one where it fits, else the groups below it with one decimal less; the notes once."""
    whole = main_table(comparison, metrics)
    parts: list[RenderableType] = [_folded(whole.title, console, "bold")]
    if not metrics or fits(whole, console.width):
        parts += lines_of(whole, console)
    else:
        parts += lines_of(main_table(comparison), console)
        for metric in metrics:
            groups = group_table(comparison, metric, digits=1)
            parts += [Text(), _folded(groups.title, console, "bold"), *lines_of(groups, console)]
    legend = [rank_legend(BEST, SECOND)] if whole.ranked else []
    return [*parts, *_notes([*legend, *whole.notes], console)]


def _notes(notes: Iterable[str], console: Console) -> list[Text]:
    return [_folded(note, console, "dim") for note in notes]


def _folded(text: str, console: Console, style: str = "", bullet: str = "") -> Text:
    """A text in lines that end with a word; a name or 'n-1' is not broken at its hyphens where it fits a line."""
    hang = " " * len(bullet)
    lines = wrap(
        visible(text, keep="\n"), console.width, initial_indent=bullet, subsequent_indent=hang, break_on_hyphens=False
    )
    return Text("\n".join(lines), style=style)
