"""Whether the difference between two methods depends on how large the tumour is."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unseg_bench.compare.comparison import Column
from unseg_bench.compare.statistics.families import adjusted
from unseg_bench.compare.statistics.intervals import LEVEL
from unseg_bench.compare.statistics.record import Interaction, Interval, StatisticsSettings, TestResult
from unseg_bench.compare.statistics.samples import snapped
from unseg_bench.compare.values import ScoreTable

POWER = 0.8
ALPHA = 0.05
_MOST_CASES = 100_000


def interactions(
    table: ScoreTable, column: Column, reference: str, among: float, settings: StatisticsSettings
) -> tuple[Interaction, ...]:
    """Method x size for the reference against each other method, p corrected over them (`among`: as `adjusted`)."""
    found = [interaction(table, column, reference, rival) for rival in table.labels if rival != reference]
    corrected = adjusted([one.p for one in found], settings.correction, among)
    return tuple(replace(one, p_adjusted=p) for one, p in zip(found, corrected, strict=True))


def interaction(table: ScoreTable, column: Column, a: str, b: str) -> Interaction:
    """Slope of d = a - b on log2 of the tumour volume, with Spearman's correlation beside it.

    The slope is the method x log2(volume) term of the mixed model of both methods' scores (random intercept a case,
    each case seen with both methods): there the generalised least squares estimate does not depend on the variance
    between cases and equals ordinary least squares of d, so that it cannot fail to converge. Its standard error allows
    differences that scatter more in small tumours (HC3, as `statsmodels` `OLS(...).fit(cov_type='HC3', use_t=True)`:
    MacKinnon and White, Journal of Econometrics 29 (1985) 305), and t has n - 2 degrees of freedom. Cases without a
    tumour have no logarithm and are left out, as are those that either method has no value for.
    """
    from scipy.special import stdtr, stdtrit

    d, volumes, healthy = _differences(table, column, a, b)
    left_out = f"{healthy} case{'s' * (healthy != 1)} without a tumour left out" if healthy else None
    if reason := _why_not(d, volumes):
        nothing = Interval(None, None, reason)
        return Interaction(a, b, len(d), TestResult(None, None, None, reason), None, nothing, None, None, reason)
    slope, error = _slope(np.log2(volumes), d)
    reach = float(stdtrit(len(d) - 2, 0.5 + LEVEL / 2)) * error
    return Interaction(
        a=a,
        b=b,
        n=len(d),
        spearman=_spearman(d, volumes),
        slope=slope,
        slope_interval=Interval(slope - reach, slope + reach),
        p=2.0 * float(stdtr(len(d) - 2, -abs(slope) / error)) if error > 0 else 0.0,
        cases_needed=cases_needed(slope / error, len(d)) if error > 0 else None,
        reason=left_out,
    )


def cases_needed(t_seen: float, n: int) -> int | None:
    """Cases for 80 % power of the slope's two-sided t-test (.05), if slope, noise and spread of sizes are as seen.

    `t_seen` with n cases; with m it is centred at t_seen * sqrt(m / n). None beyond 100,000.
    """
    from scipy.stats import nct, norm, t

    if t_seen == 0.0:
        return None
    floor = n * ((norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)) / t_seen) ** 2
    if floor > _MOST_CASES:
        return None
    for m in range(max(3, int(floor)), _MOST_CASES + 1):
        limit, centre = t.ppf(1 - ALPHA / 2, m - 2), abs(t_seen) * np.sqrt(m / n)
        # Not a number where the centre is so far away that the power is 1: a line without noise.
        if not nct.sf(limit, m - 2, centre) + nct.cdf(-limit, m - 2, centre) < POWER:
            return m
    return None


def _differences(
    table: ScoreTable, column: Column, a: str, b: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Differences d and the volume (ml) of each case with a tumour and both values, and how many have no tumour."""
    ones, others = table.column(column.key, a), table.column(column.key, b)
    rows = [
        (x - y, table.tumour_ml[case])
        for case, x in ones.items()
        if case in table.tumour_ml and x is not None and (y := others[case]) is not None
    ]
    kept = [row for row in rows if row[1] > 0.0]
    d, volumes = np.array(kept, dtype=float).reshape(-1, 2).T
    return d, volumes, len(rows) - len(kept)


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope of y on x by least squares, and its HC3 standard error."""
    own = x - x.mean()
    squares = float(own @ own)
    slope = float(own @ y) / squares
    residuals = y - y.mean() - slope * own
    leverage = 1.0 / len(x) + own**2 / squares
    return slope, float(np.sqrt(np.square(own * residuals / (1.0 - leverage)).sum())) / squares


def _why_not(d: NDArray[np.float64], volumes: NDArray[np.float64]) -> str | None:
    if len(d) < 3:
        return "fewer than three cases with a tumour"
    ordered = np.sort(volumes)
    if ordered[0] == ordered[-1]:
        return "every tumour has the same volume"
    if ordered[0] == ordered[-2] or ordered[1] == ordered[-1]:
        return "all tumours but one have the same volume"
    own = snapped(d)
    if not own.any():
        return "equal in every case"
    return "the same difference in every case" if np.ptp(own) == 0.0 else None


def _spearman(d: NDArray[np.float64], volumes: NDArray[np.float64]) -> TestResult:
    """Rank correlation of d with the volume: `scipy.stats.spearmanr`; beside the slope, so not corrected."""
    from scipy.stats import spearmanr

    statistic, p = np.asarray(spearmanr(snapped(d), volumes), dtype=float).tolist()
    return TestResult(statistic, p, None)
