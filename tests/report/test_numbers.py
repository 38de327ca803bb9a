"""Numbers as printed."""

import pytest

from unseg_bench.compare.statistics.record import Interval
from unseg_bench.report import numbers
from unseg_bench.score.metrics import DSC, HD95


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "<.001"),
        (0.00099, "<.001"),
        (0.001, ".001"),
        (0.0234, ".023"),
        (0.5, ".500"),
        (0.9996, ".999"),
        (1.0, "1.00"),
        (None, "–"),
    ],
)
def test_p_values(p, text):
    assert numbers.p_value(p) == text


def test_p_with_its_correction():
    assert numbers.p_values(0.0004, 0.0234) == "<.001 (.023)"
    assert numbers.p_values(None, None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.0, "1"), (0.001, "<.01"), (0.999, ">.99"), (0.234, ".23"), (0.995, ">.99"), (None, "–")],
)
def test_shares_are_never_rounded_to_certainty(value, text):
    assert numbers.share(value) == text


def test_points_and_millimetres():
    assert numbers.mean_and_spread(0.856, 0.0926, DSC) == "85.60±9.26"
    assert numbers.mean_and_spread(6.72, 5.41, HD95, 1) == "6.7±5.4"
    assert numbers.mean_and_spread(0.5, None, DSC) == "50.00±–"
    assert numbers.mean_and_spread(None, None, DSC) == "–"


def test_signs():
    assert numbers.signed(0.012, DSC) == "+1.20"
    assert numbers.signed(-3.0, HD95) == "-3.00"
    assert numbers.signed(-1e-9, DSC) == "0.00"
    assert numbers.signed(None, DSC) == "–"
    assert numbers.fixed(-0.0004, 2) == "0.00"


def test_intervals():
    assert numbers.interval_text(Interval(-0.012, 0.034), DSC) == "-1.20 to 3.40"
    assert numbers.interval_text(Interval(None, None, "why"), DSC) == "–"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.5, 2.1, "0.5–2.1"), (25.0, 25.04, "25"), (99.96, 1204.4, "100–1204"), (0.0, 0.001, "0–<0.01")],
)
def test_ranges_have_no_powers_of_ten(low, high, text):
    assert numbers.volume_range(low, high) == text


def test_ranks():
    assert [numbers.rank(rank) for rank in (1.0, 2.5, 10.0, 7 / 3, None)] == ["1", "2.5", "10", "2.3", "–"]
