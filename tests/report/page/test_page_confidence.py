"""The page on confidences: the list of cases to look at, the correlation, and a column among the cases."""

import re
from dataclasses import replace
from html import unescape

import pytest

from tests.report.page.conftest import CASES, HOSTILE
from unseg_bench.compare.build import compare
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.report.page import write_page
from unseg_bench.report.page.case_table import case_table

STATED = {case: 0.3 + 0.1 * number for number, case in enumerate(CASES)}


@pytest.fixture(scope="module")
def stating(made):
    """The cohort's comparison, in which the method with the hostile name states confidences."""
    runs = [replace(run, confidences=STATED, look_below=0.45) if run.label == HOSTILE else run for run in made.runs]
    statistics = StatisticsSettings(resamples=99, bootstraps=20)
    return compare(runs, CompareSettings(groups=2, statistics=statistics))


def words_of(page):
    return unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL))


def test_the_page_lists_what_to_look_at_with_the_correlation_and_n(stating, tmp_path):
    write_page(stating, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert '<h2 id="confidence">Cases to look at</h2>' in page
    assert '<a href="#confidence">' in page
    assert "<img src=x" not in page
    assert "Look at these 2 of 6 cases, whose confidence is below 0.45: case-0, case-1." in page
    (row,) = stating.confidences
    (cells,) = re.findall(r'<table[^>]*id="table-confidence".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    texts = [unescape(text).strip() for text in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", cells, re.DOTALL)]
    assert texts == [HOSTILE, "6", "0.45", "2", f"{row.correlation:.2f}", "6"]
    assert "near 0, the confidence" in words_of(page).lower()


def test_the_case_table_has_a_column_for_each_method_that_states_any(stating):
    table = case_table(stating)
    assert table.columns[-1].heading == (HOSTILE, "confidence")
    assert len([column for column in table.columns if column.heading[-1] == "confidence"]) == 1
    assert {row[0].text: row[-1].text for row in table.rows} == {case: f"{STATED[case]:.2f}" for case in CASES}


def test_a_page_of_methods_that_state_none_has_neither(comparison, page):
    assert 'id="confidence"' not in page.read_text()
    assert all(column.heading[-1] != "confidence" for column in case_table(comparison).columns)


def test_why_there_is_no_correlation_stands_below_the_table(stating, tmp_path):
    row = replace(stating.confidences[0], correlation=None, reason="the DSC is the same in every case")
    write_page(replace(stating, confidences=(row,)), tmp_path / "page.html")
    said = words_of((tmp_path / "page.html").read_text())
    assert f"{HOSTILE}: no rank correlation, since the DSC is the same in every case" in said
