"""Confidences in a comparison: averaged over seeds, which cases lie below the level, and the rank correlation."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import spearmanr

from unseg_bench.compare.build import compare
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings

DSC = [0.9, 0.2, 0.6, 0.4, 0.8, 0.7]
CASES = [f"p{i:02d}" for i in range(6)]
STATED = dict(zip(CASES, (0.95, 0.3, 0.5, 0.55, 0.85, 0.6), strict=True))
QUICK = StatisticsSettings(resamples=99, bootstraps=20)


def compared(runs, statistics=QUICK):
    return compare(runs, CompareSettings(groups=2, statistics=statistics))


def test_entries_have_the_confidence_and_rows_the_rank_correlation(make_run):
    found = compared([make_run("a", DSC, confidences=STATED, look_below=0.6), make_run("b", DSC)])
    (row,) = found.confidences
    assert (row.label, row.cases, row.n, row.look_below, row.reason) == ("a", 6, 6, 0.6, None)
    assert row.look == ("p01", "p02", "p03")
    assert row.correlation == pytest.approx(spearmanr(list(STATED.values()), DSC).statistic, abs=1e-12)
    assert {one.case: one.confidence for one in found.entries if one.label == "a"} == STATED
    assert {one.confidence for one in found.entries if one.label == "b"} == {None}
    assert found.to_dict()["confidences"][0]["look"] == ["p01", "p02", "p03"]
    assert found.to_dict()["entries"][0]["confidence"] == STATED[found.entries[0].case]


def test_seeds_are_averaged_and_a_case_of_one_seed_counts_by_that(make_run):
    second = {case: value / 2 for case, value in STATED.items() if case != "p05"}
    runs = [make_run("a", DSC, seed=seed, confidences=own, look_below=0.6) for seed, own in enumerate((STATED, second))]
    (row,) = compared(runs).confidences
    mean = {case: np.mean([STATED[case], second.get(case, STATED[case])]) for case in CASES}
    assert row.look == tuple(sorted((case for case in CASES if mean[case] < 0.6), key=mean.get))
    assert row.correlation == pytest.approx(spearmanr(list(mean.values()), DSC).statistic)


def test_cases_without_a_reference_are_looked_at_and_in_no_correlation(make_run):
    run = make_run("a", DSC, confidences={**STATED, "bare": 0.1}, look_below=0.2, without_reference=["bare"])
    (row,) = compared([run]).confidences
    assert (row.cases, row.n, row.look) == (7, 6, ("bare",))


@pytest.mark.parametrize(
    ("dsc", "stated", "reason"),
    [
        (DSC, {"p00": 0.5, "p01": 0.6}, "fewer than 3 cases have a confidence and a DSC"),
        (DSC, dict.fromkeys(CASES, 0.5), "the confidence is the same in every case"),
        ([0.5] * 6, STATED, "the DSC is the same in every case"),
    ],
)
def test_where_there_is_no_correlation_that_is_said(make_run, dsc, stated, reason):
    (row,) = compared([make_run("a", dsc, confidences=stated)]).confidences
    assert (row.correlation, row.reason) == (None, reason)
    assert (row.look_below, row.look) == (None, ())


def test_a_table_without_statistics_has_no_correlation_and_loads_no_scipy(make_run):
    (row,) = compared([make_run("a", DSC, confidences=STATED)], None).confidences
    assert (row.correlation, row.reason, row.n) == (None, None, 6)
    code = "import sys; import unseg_bench.compare.build; sys.exit(any(m in sys.modules for m in ('scipy', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
