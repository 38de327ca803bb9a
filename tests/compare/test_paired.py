"""The paired t-test against scipy, and what comes with the package's import."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from unseg_bench.compare.paired import paired_t_test, t_tail


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(-60, 60), st.integers(1, 2000))
def test_tail_is_scipys(t, freedom):
    assert t_tail(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("n", [2, 3, 15, 75, 400])
@pytest.mark.parametrize("shift", [0.0, 0.01, 0.3])
def test_p_is_scipys(n, shift):
    a, b = np.random.default_rng(n).beta(8, 2, (2, n))
    a = a + shift
    expected = stats.ttest_rel(a, b)
    found = paired_t_test(a.tolist(), b.tolist())
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-8)
    assert found.mean_difference == pytest.approx((a - b).mean())


def test_no_p_and_why():
    assert paired_t_test([0.5], [0.4]).reason == "one case only"
    assert paired_t_test([0.5, 0.7], [0.5, 0.7]).reason == "equal in every case"
    assert paired_t_test([0.3, 0.7, 0.4], [0.2, 0.6, 0.3]).reason == "the same difference in every case"


def test_comparing_and_printing_load_nothing_heavy():
    code = (
        "import sys, unseg_bench.compare.build, unseg_bench.report.terminal, unseg_bench.score.table;"
        "print(sorted({'numpy', 'scipy', 'torch', 'numba', 'nibabel', 'monai'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
