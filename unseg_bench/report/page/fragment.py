"""The main table of a comparison as a piece of HTML, for a notebook."""

from unseg_bench.compare.comparison import Comparison
from unseg_bench.report.notes import warnings
from unseg_bench.report.page.parts import numbered
from unseg_bench.report.page.write import environment
from unseg_bench.report.tables import main_table


def table_html(comparison: Comparison) -> str:
    """Return the overall table with its notes, its warnings first."""
    (table,) = numbered([main_table(comparison)], 1)
    template = environment().get_template("fragment.html.j2")
    return template.render(table=table, warnings=warnings(comparison))
