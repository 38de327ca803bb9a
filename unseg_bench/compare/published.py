"""Rows as they were published, beside ours: never a claim to have measured them."""

from collections.abc import Mapping
from dataclasses import dataclass


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
