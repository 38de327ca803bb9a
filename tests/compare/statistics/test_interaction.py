"""The slope over size against the mixed model and least squares of statsmodels; power by simulation."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats

from unseg_bench.compare.statistics.interaction import cases_needed, interaction, interactions
from unseg_bench.compare.statistics.record import StatisticsSettings


@pytest.fixture(scope="module")
def sized(make_table):
    """Method a is better than b on small tumours, on a noise that both share and one of each own."""
    rng = np.random.default_rng(11)
    volumes = np.sort(rng.lognormal(3.0, 1.0, 60))
    shared = rng.normal(0.6, 0.1, 60)
    own = rng.normal(0.0, 0.03, (2, 60))
    lead = 0.05 - 0.015 * (np.log2(volumes) - np.log2(volumes).mean())
    dsc = {"a": (shared + lead + own[0]).tolist(), "b": (shared + own[1]).tolist()}
    return make_table(dsc, volumes=volumes.tolist())


def test_it_is_the_mixed_models_term(sized):
    found = interaction(sized, sized.columns[0], "a", "b")
    long = pd.DataFrame(
        [
            {"case": case, "method": float(label == "a"), "x": np.log2(sized.tumour_ml[case]), "dsc": value}
            for label in ("a", "b")
            for case, value in sized.values["dsc"][label].items()
        ]
    )
    long["x"] -= long["x"].mean()
    fit = smf.mixedlm("dsc ~ method * x", long, groups=long["case"]).fit(reml=True)
    assert fit.converged
    assert found.slope == pytest.approx(fit.params["method:x"], rel=1e-6)


def test_it_is_least_squares_of_the_difference_whose_error_allows_unequal_noise(sized):
    found = interaction(sized, sized.columns[0], "a", "b")
    a, b = (np.array(list(sized.values["dsc"][label].values())) for label in ("a", "b"))
    volumes = np.array(list(sized.tumour_ml.values()))
    fit = sm.OLS(a - b, sm.add_constant(np.log2(volumes))).fit(cov_type="HC3", use_t=True)
    assert (found.slope, found.p) == pytest.approx((fit.params[1], fit.pvalues[1]))
    assert (found.slope_interval.low, found.slope_interval.high) == pytest.approx(tuple(fit.conf_int()[1]))
    expected = stats.spearmanr(a - b, volumes)
    assert (found.spearman.statistic, found.spearman.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert (found.a, found.b, found.n, found.reason) == ("a", "b", 60, None)


def test_swapping_turns_the_slope(sized):
    there, back = (interaction(sized, sized.columns[0], *pair) for pair in (("a", "b"), ("b", "a")))
    assert back.slope == pytest.approx(-there.slope)
    assert (back.p, back.cases_needed) == (pytest.approx(there.p), there.cases_needed)
    assert back.spearman.statistic == pytest.approx(-there.spearman.statistic)


def test_p_is_corrected_over_the_rivals(make_table, draw_dsc):
    table = make_table(draw_dsc(0, 4, 20))
    found = interactions(table, table.columns[0], "m1", 1.0, StatisticsSettings())
    assert [one.b for one in found] == ["m0", "m2", "m3"]
    ordered = sorted(found, key=lambda one: one.p)
    assert ordered[0].p_adjusted == pytest.approx(min(1.0, 3 * ordered[0].p))
    assert ordered[1].p_adjusted == pytest.approx(max(ordered[0].p_adjusted, min(1.0, 2 * ordered[1].p)))


@pytest.mark.parametrize(("t_seen", "n"), [(2.2, 20), (1.0, 15), (4.0, 60), (-1.5, 30)])
def test_the_cases_needed_give_the_power_and_one_less_does_not(t_seen, n):
    m = cases_needed(t_seen, n)
    rng = np.random.default_rng(1)
    powers = []
    for cases in (m, m - max(2, m // 5)):
        x = np.linspace(-1.0, 1.0, cases)
        slope = t_seen / np.sqrt(n) / x.std()
        y = slope * x + rng.normal(0.0, 1.0, (20_000, cases))
        fitted = y @ x / (x @ x)
        residual = y - y.mean(axis=1, keepdims=True) - fitted[:, None] * x
        error = np.sqrt((residual**2).sum(axis=1) / (cases - 2) / (x @ x))
        powers.append((np.abs(fitted / error) > stats.t.ppf(0.975, cases - 2)).mean())
    assert powers[0] == pytest.approx(0.8, abs=0.015 + 0.5 / m)
    assert powers[1] < 0.78


def test_cases_needed_cannot_always_be_told():
    assert cases_needed(0.0, 75) is None
    assert cases_needed(1e-6, 75) is None
    assert cases_needed(50.0, 10) >= 3


def test_a_case_without_a_tumour_is_left_out_and_said(make_table, draw_dsc):
    dsc = draw_dsc(1, 2, 12)
    whole = make_table({label: own[1:] for label, own in dsc.items()}, volumes=[float(i) for i in range(1, 12)])
    healthy = make_table(dsc, volumes=[float(i) for i in range(12)])
    expected, found = (interaction(table, table.columns[0], "m0", "m1") for table in (whole, healthy))
    assert found.reason == "1 case without a tumour left out"
    assert (found.n, found.slope, found.p) == (11, pytest.approx(expected.slope), pytest.approx(expected.p))


@pytest.mark.parametrize(
    ("a", "b", "volumes", "reason"),
    [
        ([0.5, 0.6], [0.4, 0.2], [1.0, 2.0], "fewer than three cases with a tumour"),
        ([0.5, 0.6, 0.7], [None, 0.2, 0.1], [1.0, 2.0, 3.0], "fewer than three cases with a tumour"),
        ([0.5, 0.6, 0.7], [0.4, 0.2, 0.1], [0.0, 0.0, 0.0], "fewer than three cases with a tumour"),
        ([0.5, 0.6, 0.7], [0.4, 0.2, 0.1], [2.0, 2.0, 2.0], "every tumour has the same volume"),
        ([0.5, 0.6, 0.7], [0.4, 0.2, 0.1], [2.0, 2.0, 5.0], "all tumours but one have the same volume"),
        ([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], [1.0, 2.0, 3.0], "equal in every case"),
        ([0.5, 0.6, 0.7], [0.4, 0.5, 0.6], [1.0, 2.0, 3.0], "the same difference in every case"),
        ([None] * 3, [None] * 3, [1.0, 2.0, 3.0], "fewer than three cases with a tumour"),
    ],
)
def test_no_slope_has_its_reason(make_table, a, b, volumes, reason):
    table = make_table({"a": a, "b": b}, volumes=volumes)
    found = interaction(table, table.columns[0], "a", "b")
    assert (found.reason, found.slope_interval.reason, found.spearman.reason) == (reason,) * 3
    assert (found.slope, found.p, found.cases_needed) == (None, None, None)


def test_a_perfect_line_has_numbers(make_table):
    d = [0.1 * i for i in range(4)]
    table = make_table({"a": [0.5 + x for x in d], "b": [0.5] * 4}, volumes=[1.0, 2.0, 4.0, 8.0])
    found = interaction(table, table.columns[0], "a", "b")
    assert found.slope == pytest.approx(0.1)
    assert found.p < 1e-6


@pytest.mark.parametrize("t_seen", [1e3, 1e9, 1e15, 1e300])
def test_a_line_almost_without_noise_needs_few_cases(t_seen):
    assert cases_needed(t_seen, 4) == 3
