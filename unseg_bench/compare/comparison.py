"""One comparison: rows are methods, columns metrics overall and by group, every mark already decided.

Rows as they were published stand beside ours: never a claim to have measured them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast

from unseg_bench.compare.statistics.record import Statistics
from unseg_bench.plugins.metric import Metric

SCHEMA = "unseg-bench/comparison/4"
"""Name and version of the JSON form; the number changes when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a metric over all cases (`group` None) or over one group; low_ml to high_ml: its tumour volumes."""

    key: str
    metric: Metric
    group: str | None
    higher_is_better: bool
    n: int
    low_ml: float
    high_ml: float
    few: bool
    empty_references: int


@dataclass(frozen=True, slots=True)
class Cell:
    """Mean and population standard deviation (ddof 0) over `n` cases, in the metric's own unit (DSC 0-1).

    mean: None where no case is left; sd: None for fewer than two. empty_predictions: predictions without a voxel on
    cases with a tumour, over all seeds, whatever they earned; missing: cases without a prediction, over all seeds: of
    the column's cases, and over all cases of all that were planned.
    """

    mean: float | None
    sd: float | None
    n: int
    empty_predictions: int
    missing: int


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method: its cells by column key, and what was measured about it.

    section: one of `standing.SECTIONS`, '' for the rows that compete. failure: why there is no score at all, or of some
    seeds none. seeds: averaged within each case; dsc_seed_sd: of the seeds' mean DSC (ddof 1), None for one seed;
    below_floor: mean DSC is below that of the best floor.
    """

    method: str
    label: str
    label_free: str
    is_floor: bool
    is_ceiling: bool
    section: str
    failure: str | None
    below_floor: bool
    seeds: tuple[int, ...]
    dsc_seed_sd: float | None
    cells: dict[str, Cell]


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """Best against second best of a column by the paired t-test; labels are None where there is no such row.

    Ranked and tested are the rows that compete, over the n cases for which all of them have a value. t, p: None where
    `reason` says why; significant: p below the comparison's alpha, uncorrected. tied: the two means are equal, so that
    which is called best says nothing. firsts, seconds: all rows of the best mean and of the second best.
    """

    column: str
    best: str | None
    second: str | None
    tied: bool
    t: float | None
    p: float | None
    reason: str | None
    significant: bool
    n: int = 0
    firsts: tuple[str, ...] = ()
    seconds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """One case as one method did it, its seeds averaged: what its means are made of.

    values: by metric; None where the case is in no mean of the method's: there is no prediction and that does not count
    as the worst, the policy on empty masks leaves it out, or the metric was not measured. missing: seeds without a
    prediction, of `seeds` and these.
    group: '' where it is in none; tumour_ml: None where no run has a score of the case. confidence: 0 to 1, as the
    method stated it without labels; None where it stated none.
    """

    label: str
    case: str
    group: str
    tumour_ml: float | None
    predicted_ml: float | None
    values: Mapping[str, float | None]
    seeds: int
    empty_predictions: int
    missing: int = 0
    confidence: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it, each value under its metric's name."""
        facts: dict[str, Any] = {}
        for one in fields(self):
            facts |= self.values if one.name == "values" else {one.name: getattr(self, one.name)}
        return facts


@dataclass(frozen=True, slots=True)
class ConfidenceRow:
    """What a method's confidences, its seeds averaged, say of its cases, those without a reference among them.

    cases: with a confidence. look_below: the level that the method names; look: the cases below it, the lowest first.
    correlation: Spearman's, of confidence with DSC over the n cases that have both; None where it was not asked for or
    `reason` says why there is none.
    """

    label: str
    cases: int
    look_below: float | None
    look: tuple[str, ...]
    n: int
    correlation: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class PolicyCell:
    """What a policy on empty masks makes of one method's HD95: mean in mm (mean rank for `rank`), cases in it, rank."""

    mean: float | None
    n: int
    rank: float | None


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One method's overall HD95 under every policy.

    rank_changes: its place is not the same under the policies in mm; `rank` can order methods otherwise without any
    empty mask, being a mean of ranks.
    """

    label: str
    empty_predictions: int
    cells: dict[str, PolicyCell]
    rank_changes: bool


@dataclass(frozen=True, slots=True)
class PublishedCell:
    """A printed mean and standard deviation, DSC 0-1 or mm."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One printed row; label_free as printed ('yes', 'no'; '' where the table has no such column).

    cells: by the column keys of a five-group comparison; some tables have no groups.
    """

    label: str
    label_free: str
    cells: Mapping[str, PublishedCell]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Whether a printed row agrees with itself: with equal groups the overall mean is the mean of the group means.

    overall, mean_of_groups and their difference (overall less groups) in DSC 0-1.
    """

    label: str
    overall: float
    mean_of_groups: float
    difference: float


@dataclass(frozen=True, slots=True)
class FalseClaim:
    """Probability that 'better beats worse' is false, by assumed correlation ('0.0' ... '0.9').

    Known from means and deviations alone. measured: whether `better` is a row measured here. n: cases behind each mean.
    """

    better: str
    worse: str
    column: str
    n: int
    measured: bool
    by_correlation: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Published:
    """A printed table. same_cases: the comparison is on the very test cases of the paper; else it is 'other data'.

    why_other: what shows that, '' where the cases are the same. audit: empty where the table has no groups.
    """

    source: str
    same_cases: bool
    why_other: str
    rows: tuple[PublishedRow, ...]
    audit: tuple[AuditRow, ...]
    false_claims: tuple[FalseClaim, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that a table, a figure or a page shows; `to_json` is its lasting form.

    grouping: what the groups are made of ('tumour size', or a column of the cohort's table). empty: the policy of the
    HD95 columns. missing: what was done with cases that not every method has; planned: how many cases the runs were to
    do, those among them that no run has a prediction of. notes: what a reader must know of the
    cases; group_notes: of the groups. confidences: of the methods that state any.
    """

    dataset: str
    split: str
    part: str
    evidence: bool
    scoring_rules: Mapping[str, str | float]
    grouping: str
    empty: str
    missing: str
    planned: int
    cases: tuple[str, ...]
    alpha: float
    floor: str | None
    columns: tuple[Column, ...]
    rows: tuple[MethodRow, ...]
    tests: tuple[ColumnTest, ...]
    policies: tuple[PolicyRow, ...]
    entries: tuple[CaseEntry, ...]
    statistics: Statistics | None
    published: Published | None
    notes: tuple[str, ...]
    group_notes: tuple[str, ...]
    confidences: tuple[ConfidenceRow, ...] = ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that it compares by, in the order of their columns: DSC, HD95, then those that were asked for."""
        return tuple(dict.fromkeys(column.metric for column in self.columns))

    def metric(self, name: str) -> Metric:
        """The metric of this name. Raises: KeyError for one that is not compared by."""
        return {metric.name: metric for metric in self.metrics}[name]

    @property
    def labels(self) -> tuple[str, ...]:
        """The methods' labels, in the order of the rows."""
        return tuple(row.label for row in self.rows)

    @property
    def measured(self) -> tuple[str, ...]:
        """The labels of the rows that have scores: those that statistics are about."""
        return tuple(row.label for row in self.rows if row.cells["dsc"].mean is not None)

    def test(self, column: str) -> ColumnTest:
        """The test of a column. Raises: KeyError for a column that is not there."""
        return {test.column: test for test in self.tests}[column]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and lists; the first entry names the schema."""
        return {"schema": SCHEMA, **_plain(self)}

    def to_json(self) -> str:
        """JSON text; numbers keep every digit, an undefined number is null."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a comparison holds
    """Dicts and lists of records; a metric is its name, and the values of a case stand among its other facts."""
    if isinstance(value, Metric):
        return value.name
    if isinstance(value, CaseEntry):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {name: _plain(own) for name, own in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple | list):
        return [_plain(own) for own in cast("Sequence[Any]", value)]
    if not is_dataclass(value):
        return value
    return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
