"""Sessions of one patient are one observation: a patient scanned ten times proves no more than one scanned once."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from unseg_bench.compare.build import compare
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings

ONE = [0.80, 0.70, 0.90, 0.60, 0.75, 0.85]
OTHER = [0.78, 0.71, 0.85, 0.55, 0.76, 0.80]
SETTINGS = CompareSettings(groups=2, statistics=StatisticsSettings(resamples=500))


def runs_of(make_run, ones, others, **more):
    return [make_run("one", ones, **more), make_run("other", others, **more)]


def sessions(times):
    """Volumes and patients of six patients with so many sessions each, whose volumes are alike."""
    volumes = {f"p{n}_t{t}": 3.0 * (n + 1) for n in range(6) for t in range(times)}
    return {"volumes": volumes, "patients": {case: case.partition("_")[0] for case in volumes}}


def test_repeated_sessions_change_no_test_and_no_interval(make_run):
    patients = {f"p{n}": 3.0 * (n + 1) for n in range(6)}
    once = compare(runs_of(make_run, ONE, OTHER, volumes=patients), SETTINGS)
    repeated = np.repeat(ONE, 5).tolist(), np.repeat(OTHER, 5).tolist()
    often = compare(runs_of(make_run, *repeated, **sessions(5)), SETTINGS)
    assert [test.p for test in often.tests] == pytest.approx([test.p for test in once.tests])
    for one, other in zip(once.statistics.families, often.statistics.families, strict=True):
        for a, b in zip(one.pairs, other.pairs, strict=True):
            assert (a.t.p, a.wilcoxon.p, a.sign_flip.p) == pytest.approx((b.t.p, b.wilcoxon.p, b.sign_flip.p))
    ns = {one.n for one in often.statistics.mean_intervals if one.column == "dsc"}
    assert ns == {6}
    unknown = compare(runs_of(make_run, *repeated, volumes=sessions(5)["volumes"]), SETTINGS)
    assert unknown.tests[0].p < 0.01 < 0.05 < once.tests[0].p
    assert not any("patients" in note for note in unknown.notes)
    assert any(
        note.startswith("tests, intervals and ranks are over 6 patients with 30 sessions") for note in often.notes
    )


def test_the_test_is_that_of_the_patients_means(make_run):
    draws = np.random.default_rng(0)
    ones, others = draws.random(12), draws.random(12)
    found = compare(runs_of(make_run, ones.tolist(), others.tolist(), **sessions(2)), SETTINGS)
    expected = ttest_rel(*(own.reshape(6, 2).mean(axis=1) for own in (ones, others)))
    assert found.tests[0].p == pytest.approx(expected.pvalue)
    assert found.rows[0].cells["dsc"].mean == pytest.approx(ones.mean())
    assert found.rows[0].cells["dsc"].n == 12


def test_sessions_in_two_size_groups_count_in_each_with_their_own_values(make_run):
    volumes = {f"p{n}_t{t}": 1.0 + n + 50 * t for n in range(4) for t in range(2)}
    patients = {case: case.partition("_")[0] for case in volumes}
    ones, others = [0.9, 0.5, 0.8, 0.4, 0.95, 0.45, 0.7, 0.65], [0.8, 0.6, 0.75, 0.5, 0.8, 0.35, 0.72, 0.3]
    found = compare(runs_of(make_run, ones, others, volumes=volumes, patients=patients), SETTINGS)
    small = next(test for test in found.tests if test.column.startswith("dsc:"))
    assert small.p == pytest.approx(ttest_rel(ones[::2], others[::2]).pvalue)


def test_cases_without_a_reference_are_counted_beside_the_means(make_run):
    runs = [make_run("one", ONE, without_reference=("x1", "x2")), make_run("other", OTHER)]
    note = "predicted but in no mean, since there is no reference: one (seed 0) 2 (x1, x2)"
    assert note in compare(runs, CompareSettings()).notes
