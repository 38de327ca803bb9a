"""Chapters of a page: their tables go on counting, their anchors are their own, each run's record stands once."""

import re

from unseg_bench.report.page import write_page
from unseg_bench.report.page.parts import Chapter
from unseg_bench.report.tables import main_table
from unseg_bench.score.metrics import DSC


def test_chapters_stand_after_the_comparison_s_own_tables(made, comparison, tmp_path):
    chapters = [
        Chapter("one", "First chapter", ("A <word>.",), (main_table(comparison),), runs=tuple(made.runs)),
        Chapter("two", "Second chapter", (), (main_table(comparison), main_table(comparison, (DSC,)))[:1]),
    ]
    write_page(comparison, tmp_path / "plain.html", runs=made.runs)
    write_page(comparison, tmp_path / "page.html", runs=made.runs, chapters=chapters)
    plain, page = ((tmp_path / name).read_text() for name in ("plain.html", "page.html"))
    numbers = [int(number) for number in re.findall(r"<b>Table (\d+)\.</b>", page)]
    assert numbers == list(range(1, 1 + len(numbers)))
    assert len(numbers) == 2 + len(re.findall(r"<b>Table \d+\.</b>", plain))
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {"one", "two", "table-one-main", "table-two-main"} <= set(ids)
    assert "<p>A &lt;word&gt;.</p>" in page
    assert '<a href="#one">First chapter</a>' in page
    assert page.count("Scoring rules") == plain.count("Scoring rules")
