"""Differences to a row: the mean over cases that both have, by hand."""

from dataclasses import replace

import pytest

from unseg_bench.report.tables import difference_table, mean_difference
from unseg_bench.score.metrics import DSC, HD95


@pytest.fixture
def comparison(make):
    """Two labels on three cases, of which one row lacks the last."""
    whole = make(published=None)
    first, second = whole.labels[:2]
    numbers = {
        first: [(0.9, 2.0), (0.7, 4.0), (0.2, 30.0)],
        second: [(0.5, 5.0), (0.8, 3.0), (None, None)],
    }
    template = whole.entries[0]
    entries = tuple(
        replace(template, label=label, case=f"c{number}", values={"dsc": dsc, "hd95_mm": hd95})
        for label, values in numbers.items()
        for number, (dsc, hd95) in enumerate(values)
    )
    return replace(whole, entries=entries)


def test_means_are_over_the_cases_that_both_have(comparison):
    first, second = comparison.labels[:2]
    assert mean_difference(comparison, DSC, first, second) == pytest.approx((0.4 - 0.1) / 2)
    assert mean_difference(comparison, HD95, first, second) == pytest.approx((-3.0 + 1.0) / 2)
    assert mean_difference(replace(comparison, entries=()), DSC, first, second) is None


def test_the_table_has_signs_and_leaves_the_reference_out(comparison):
    first, second = comparison.labels[:2]
    table = difference_table(comparison, second)
    assert [cell.text for cell in table.rows[0]] == [first, "+15.00", "-1.00"]
    assert second not in [row[0].text for row in table.rows]
