"""What a comparison can be asked for, checked before anything is read."""

from collections.abc import Sequence
from dataclasses import dataclass

from unseg_bench.compare.cohort_table import GroupColumn
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.errors import SettingsError
from unseg_bench.plugins.names import did_you_mean

ALPHA = 0.001
"""The paper's threshold for its star (CLISC, Table 1): p < 0.001, per column, uncorrected."""
EMPTY_POLICIES = ("diagonal", "exclude", "zero")
"""What a distance is where one of the two masks is empty: as scored, left out, or 0 mm (as in the authors' code)."""
RANK_POLICY = "rank"
"""The policy for ranks only: the distance of an empty mask is infinite."""
MISSING_RULES = ("refuse", "common", "worst")
"""What is done with cases that not every run has: an error, leave them out, or the worst scores for who lacks them."""


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """How to compare; the defaults make the paper's table.

    groups: how many groups of equal number; group_by: a column of the cohort's table instead of tumour size;
    metrics: names of those that are compared beside DSC and HD95, unit left out or not;
    empty, missing: one of EMPTY_POLICIES, of MISSING_RULES; alpha: of the star; statistics: None leaves them out;
    published: put the printed rows of this table (of `published_table.PRINTED`) beside. Raises: SettingsError for an
    unknown word or an alpha beyond 0-1.
    """

    groups: int = 5
    group_by: GroupColumn | None = None
    metrics: Sequence[str] = ()
    empty: str = "diagonal"
    missing: str = "refuse"
    alpha: float = ALPHA
    statistics: StatisticsSettings | None = None
    published: str | None = None

    def __post_init__(self) -> None:
        for option, word, known in (("empty", self.empty, EMPTY_POLICIES), ("missing", self.missing, MISSING_RULES)):
            if word not in known:
                raise SettingsError(f"--{option} {word}: there is no such rule.{did_you_mean(word, known)}")
        if not 0.0 < self.alpha < 1.0:
            raise SettingsError(f"--alpha {self.alpha:g}: a probability between 0 and 1 is needed, such as {ALPHA:g}")
