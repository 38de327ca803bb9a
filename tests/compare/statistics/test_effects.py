"""Effects by hand and by brute force."""

from statistics import mean, median, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unseg_bench.compare.statistics.significance import dz, hodges_lehmann, rank_biserial, wins_ties_losses

DIFFERENCES = st.lists(st.integers(-20, 20).map(lambda number: number / 20), min_size=1, max_size=20)


def test_dz_by_hand():
    d = [0.1, 0.3, -0.1, 0.5]
    assert dz(np.array(d)) == pytest.approx(mean(d) / stdev(d))
    assert dz(np.array([0.1, 0.1, 0.1])) is None
    assert dz(np.array([0.1])) is None


def test_rank_biserial_by_hand():
    # |d| ranked 1 2 3.5 3.5 5: for 1 + 3.5 + 5, against 2 + 3.5
    assert rank_biserial(np.array([0.1, -0.2, 0.3, -0.3, 0.4])) == pytest.approx((9.5 - 5.5) / 15)
    # the zero takes rank 1 and counts for neither side: 2 + 4 against 3
    assert rank_biserial(np.array([0.0, 0.1, -0.2, 0.3])) == pytest.approx((6 - 3) / 9)
    assert rank_biserial(np.array([0.1, 0.2])) == 1.0
    assert rank_biserial(np.zeros(3)) is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(DIFFERENCES)
def test_hodges_lehmann_by_brute_force(d):
    walsh = [(d[i] + d[j]) / 2 for i in range(len(d)) for j in range(i, len(d))]
    assert hodges_lehmann(np.array(d)) == pytest.approx(median(walsh), abs=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(DIFFERENCES)
def test_swapping_the_methods_turns_every_sign(d):
    d = np.array(d)
    assert hodges_lehmann(-d) == pytest.approx(-hodges_lehmann(d), abs=1e-12)
    for effect in (dz, rank_biserial):
        there, back = effect(d), effect(-d)
        assert (there is None) == (back is None)
        assert there is None or back == pytest.approx(-there, abs=1e-12)
    wins, ties, losses = wins_ties_losses(d, higher_is_better=True)
    assert wins_ties_losses(-d, higher_is_better=True) == (losses, ties, wins)
    assert wins_ties_losses(d, higher_is_better=False) == (losses, ties, wins)
    assert wins + ties + losses == len(d)


def test_a_win_on_hd95_is_the_smaller_one():
    assert wins_ties_losses(np.array([-3.0, -1.0, 0.0, 2.0]), higher_is_better=False) == (2, 1, 1)
    assert wins_ties_losses(np.array([0.1, -0.2, 0.1 + 0.2 - 0.3]), higher_is_better=True) == (1, 1, 1)
