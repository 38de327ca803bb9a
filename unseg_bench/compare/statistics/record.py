"""What the statistics of a comparison hold: plain records, no arithmetic. d is always a - b of the same case."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from unseg_bench.errors import SettingsError
from unseg_bench.plugins.names import did_you_mean

HYPOTHESES: dict[str, str] = {
    "t": "paired t-test: the mean difference is 0 (differences near enough to normal for their mean)",
    "sign_flip": "sign-flip test: the differences are symmetric about a mean of 0 (exact in that case)",
    "wilcoxon": "Wilcoxon signed-rank test (Pratt): the differences are symmetric about 0; "
    "it can reject when the means are equal",
    "sign": "sign test: neither method is better in more than half of all cases (exact; a tie is for neither)",
}
"""The null hypothesis of each test in words; asymmetric differences break the last one first."""
CORRECTIONS = ("holm", "fdr_by")
"""Corrections within a family, by statsmodels' names: Holm; Benjamini and Yekutieli's false discovery rate."""


@dataclass(frozen=True, slots=True)
class StatisticsSettings:
    """What is fixed before anything is looked at.

    reference: the label that the overall families compare with, None: the best mean DSC, which is then said.
    margin: of equivalence, in DSC. correction: 'holm' or 'fdr_by'. resamples: of the sign-flip test above 15 cases and
    of the BCa interval; bootstraps: of the ranking.
    """

    reference: str | None = None
    margin: float = 0.02
    correction: str = "holm"
    resamples: int = 9_999
    bootstraps: int = 1_000
    seed: int = 2025

    def __post_init__(self) -> None:
        """Raises: SettingsError for a number out of range or an unknown correction."""
        if not 0.0 < self.margin <= 1.0:
            raise SettingsError(
                f"--margin {self.margin:g}: equivalence needs a margin above 0 and at most 1, such as 0.02 (2 points)"
            )
        if self.correction not in CORRECTIONS:
            raise SettingsError(
                f"--correction {self.correction}: there is no such one.{did_you_mean(self.correction, CORRECTIONS)}"
            )
        for option, number in (("--resamples", self.resamples), ("--bootstraps", self.bootstraps)):
            if number < 1:
                raise SettingsError(f"{option} {number}: at least one is needed")
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: a seed is 0 or more")


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval; low and high are None where `reason` says why."""

    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TestResult:
    """One two-sided test; numbers are None where `reason` says why. p_adjusted: corrected within the family."""

    statistic: float | None
    p: float | None
    p_adjusted: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided t-tests that mean(d) lies within -margin to margin; equivalent: p below .05, not corrected.

    p_adjusted: corrected within the family; a claim of equivalence rests on it.
    """

    margin: float
    p: float | None
    equivalent: bool
    reason: str | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Method a against method b in one column over the n cases that both have.

    dz: mean(d) / sd(d, ddof 1). rank_biserial: matched pairs, (W+ - W-) / (W+ + W-). hodges_lehmann: median of the
    Walsh averages. wins: cases in which a is better (whichever way the metric goes). equivalence: of DSC only.
    sign: over all cases, ties included. outliers: d beyond Tukey's outer fences. worst_case_p: of 'the mean lead is 0
    or less' whatever the shape of d, and although the leading method may find nothing in cases too rare to be seen.
    """

    column: str
    a: str
    b: str
    n: int
    mean_difference: float
    t_interval: Interval
    bca_interval: Interval
    t: TestResult
    sign_flip: TestResult
    sign_flip_exact: bool
    wilcoxon: TestResult
    sign: TestResult
    median_difference: float
    median_interval: Interval
    outliers: int
    worst_case_p: float | None
    dz: float | None
    rank_biserial: float | None
    hodges_lehmann: float
    wins: int
    ties: int
    losses: int
    equivalence: Equivalence | None


@dataclass(frozen=True, slots=True)
class Family:
    """Tests that are corrected together. exploratory: its p values suggest, they do not confirm.

    A method that has no case in common with the reference is in no pair. chosen_among: for each pair that is
    tested so many count, 1 unless the data chose which are (k / 2 where they chose the reference among k methods).
    """

    key: str
    title: str
    correction: str
    exploratory: bool
    pairs: tuple[Pair, ...]
    chosen_among: float = 1.0

    @property
    def tested(self) -> int:
        """How many pairs have a p."""
        return sum(pair.sign_flip.p is not None for pair in self.pairs)

    @property
    def corrected_over(self) -> int:
        """How many tests its p values are corrected over: those made, and those that they were chosen among."""
        return math.ceil(self.tested * self.chosen_among)


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A method's mean in a column with its 95 % intervals, patients resampled; n cases."""

    label: str
    column: str
    n: int
    mean: float | None
    t_interval: Interval
    bca_interval: Interval


@dataclass(frozen=True, slots=True)
class Friedman:
    """All methods at once on one metric, and Nemenyi's critical difference of mean ranks (rank 1 is best).

    cliques: sets of labels, best first, whose mean ranks differ by less than the critical difference.
    """

    metric: str
    n: int
    mean_ranks: Mapping[str, float]
    statistic: float | None
    p: float | None
    critical_difference: float | None
    cliques: tuple[tuple[str, ...], ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranks on one metric both ways, and how stable the first way is when patients are resampled.

    mean_then_rank: rank of the mean; rank_then_mean: mean over cases of the rank within the case (a missing case takes
    the worst). first: share of the bootstraps in which a method is first (ties share); rank_low to rank_high: its 95 %
    interval of ranks; counts: label -> how often it took rank 1, 2, ... (ties to the better). kendall_tau: median
    agreement of the bootstraps' rankings with the full one, None for a single method.
    """

    metric: str
    bootstraps: int
    mean_then_rank: Mapping[str, float]
    rank_then_mean: Mapping[str, float]
    first: Mapping[str, float]
    rank_low: Mapping[str, float]
    rank_high: Mapping[str, float]
    counts: Mapping[str, tuple[int, ...]]
    kendall_tau: float | None


@dataclass(frozen=True, slots=True)
class Interaction:
    """Whether DSC of a over b depends on tumour size: d against log2 of the reference's volume.

    spearman: rank correlation of d with volume. slope: DSC of d per doubling of the volume, the method x log2 volume
    term of the mixed model of both methods' DSC with cases as groups, with its 95 % interval (HC3). cases_needed: cases
    for 80 % power (two-sided .05) if the slope is what was seen; None where it cannot be told. p_adjusted: corrected
    over the interactions of the reference with all others. reason: why there are no numbers, or which cases are left
    out.
    """

    a: str
    b: str
    n: int
    spearman: TestResult
    slope: float | None
    slope_interval: Interval
    p: float | None
    cases_needed: int | None
    reason: str | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """Mean of one metric by seed, and the spread of those means (sd, ddof 1); None for one seed."""

    label: str
    metric: str
    means: Mapping[int, float]
    sd: float | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """All of it, computed once. reference_named: whether the user fixed the reference, or the data chose it.

    units: by column, what was tested there: its cases, or the patients whose sessions these are.
    """

    settings: StatisticsSettings
    reference: str
    reference_named: bool
    families: tuple[Family, ...]
    mean_intervals: tuple[MeanInterval, ...]
    friedman: tuple[Friedman, ...]
    rankings: tuple[Ranking, ...]
    interactions: tuple[Interaction, ...]
    seeds: tuple[SeedSpread, ...]
    units: Mapping[str, int] = field(default_factory=dict[str, int])
    hypotheses: Mapping[str, str] = field(default_factory=lambda: dict(HYPOTHESES))

    def family(self, key: str) -> Family:
        """A family by its key: 'overall-dsc', 'overall-hd95', 'groups', maybe 'floor'. Raises: KeyError for another."""
        return {family.key: family for family in self.families}[key]
