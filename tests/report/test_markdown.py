"""The Markdown export reads back as the tables that it was made of."""

import html
import re

import pytest

from unseg_bench.report.markdown import escape, markdown
from unseg_bench.report.statistics_tables import statistics_tables
from unseg_bench.report.tables import score_tables


def parse(text):
    """Every pipe table as rows of cells, in order, without the line of dashes."""
    tables = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
        assert {len(row) for row in rows} == {len(rows[0])}
        assert all(re.fullmatch(r" (:---|---:) ", cell) for cell in rows[1])
        tables.append([[cell.strip() for cell in row] for row in (rows[0], *rows[2:])])
    return tables


def plain(cell):
    """A cell's text without its marks."""
    text = re.sub(r"<sup>.*?</sup>|</?ins>", "", cell)
    text = re.sub(r"^\*\*(.*)\*\*$", r"\1", text)
    return html.unescape(re.sub(r"\\(.)", r"\1", text))


def test_tables_read_back(make):
    comparison = make()
    read = parse(markdown(comparison))
    wanted = (*score_tables(comparison), *statistics_tables(comparison))
    assert len(read) == len(wanted)
    for found, table in zip(read, wanted, strict=True):
        assert [plain(cell).replace("<br>", "|") for cell in found[0]] == ["|".join(c.heading) for c in table.columns]
        rows = [row for row in found[1:] if any(row[1:])]
        assert [[plain(cell) for cell in row] for row in rows] == [[cell.text for cell in row] for row in table.rows]


def test_marks(make):
    text = markdown(make())
    assert "| **85.60±9.26**<sup>\\*</sup> | **6.72±5.41**<sup>\\*</sup> |" in text
    assert "| <ins>81.25±9.26</ins> |" in text
    assert "| 60.00±9.26<sup>2e 1m</sup> | 27.44±5.41<sup>2e 1m n=9</sup> |" in text
    assert "sam\\|x\\_1 &amp; &lt;script&gt;<sup>†</sup>" in text
    assert "| *published, other data: the paper, Table 1* |  |" in text


def test_warnings_and_claims(make):
    text = markdown(make())
    assert "> **phantom figures are no evidence about the real methods**" in text
    assert "> **† below the floor threshold in mean DSC: sam" in text
    assert "## What these figures carry, and what they do not" in text
    assert "clisc better than =cmd" in text
    assert "<script>" not in text
    assert "What these figures carry" not in markdown(make(statistics=None))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("_x_ *y*", r"\_x\_ \*y\*"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("$x$ `y`", r"\$x\$ \`y\`"),
        ("a\nb", "a b"),
    ],
)
def test_escaping(text, escaped):
    assert escape(text) == escaped
