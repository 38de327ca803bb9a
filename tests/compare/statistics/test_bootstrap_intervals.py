"""Intervals of a mean against scipy's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from unseg_bench.compare.statistics.draws import AT_ONCE, generator
from unseg_bench.compare.statistics.intervals import bca_interval, t_interval
from unseg_bench.compare.statistics.record import Interval
from unseg_bench.compare.wording import scaled


def test_t_by_its_formula():
    values = np.random.default_rng(0).beta(8, 2, 15)
    reach = stats.t.ppf(0.975, 14) * values.std(ddof=1) / np.sqrt(15)
    found = t_interval(values)
    assert (found.low, found.high) == pytest.approx((values.mean() - reach, values.mean() + reach))
    a, b = np.random.default_rng(1).beta(8, 2, (2, 20))
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert (t_interval(a - b).low, t_interval(a - b).high) == pytest.approx((expected.low, expected.high))


def test_bca_resamples_both_scores_of_a_patient():
    a, b = np.random.default_rng(2).beta(8, 2, (2, 40))
    expected = stats.bootstrap(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        paired=True,
        vectorized=True,
        method="BCa",
        n_resamples=999,
        rng=generator(5, "k"),
    ).confidence_interval
    found = bca_interval(a - b, 999, generator(5, "k"))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_bca_leans_to_the_long_tail_where_t_does_not():
    values = np.random.default_rng(3).exponential(1.0, 40)
    t, bca = t_interval(values), bca_interval(values, 9_999, generator(0))
    mean = values.mean()
    assert t.high - mean == pytest.approx(mean - t.low)
    assert bca.high - mean > 1.1 * (mean - bca.low)
    normal = np.random.default_rng(3).normal(0.0, 1.0, 400)
    t, bca = t_interval(normal), bca_interval(normal, 9_999, generator(0))
    assert (bca.low, bca.high) == pytest.approx((t.low, t.high), abs=0.015)


def test_many_cases_are_drawn_in_parts_to_the_same_end():
    values = np.random.default_rng(4).beta(8, 2, 300)
    expected = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=9_999, rng=generator(1)
    ).confidence_interval
    assert AT_ONCE < 300 * 9_999
    found = bca_interval(values, 9_999, generator(1))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "t", "bca"),
    [
        ([], "no case", "no case"),
        ([0.5], "one case only", "one case only"),
        ([0.5, 0.6], None, "two cases only"),
        ([0.3] * 5, "the same in every case", "the same in every case"),
        ([0.1, 0.2, 0.4], None, None),
    ],
)
def test_no_interval_has_its_reason(values, t, bca):
    found = t_interval(np.array(values)), bca_interval(np.array(values), 999, generator(0))
    assert tuple(interval.reason for interval in found) == (t, bca)
    for interval in found:
        assert (interval.low is None) == (interval.high is None) == (interval.reason is not None)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0]), min_size=1, max_size=12))
def test_few_distinct_values_give_numbers_or_a_reason(values):
    found = bca_interval(np.array(values), 199, generator(0))
    if found.reason is None:
        assert min(values) <= found.low <= found.high <= max(values)


def test_scaled():
    assert scaled(Interval(-1.0, 3.0), -1) == Interval(-3.0, 1.0)
    assert scaled(Interval(-1.0, 3.0), 1) == Interval(-1.0, 3.0)
    assert scaled(Interval(None, None, "why"), -1) == Interval(None, None, "why")
