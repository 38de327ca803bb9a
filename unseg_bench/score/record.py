"""The score of one case, and the names of the rules by which it was made. Loads nothing but the standard library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from statistics import fmean
from typing import Any

from unseg_bench.score.metrics import DEFAULT, DSC, HD95, SURFACE_TOLERANCE_MM

SCORING_RULES: dict[str, str | float] = {
    "dsc": "2|A and B| / (|A| + |B|)",
    "hd95": "pooled",
    "empty": "diagonal",
    "surface_dsc": "surfel",
    "surface_tolerance_mm": SURFACE_TOLERANCE_MM,
}
"""The rules that a score depends on, as `run.json` has them; runs scored by different rules are never compared.

pooled: HD95 as medpy has it: centres of 6-neighbour border voxels, both directions in one list, 95th percentile
(linear). diagonal: a missed tumour is as far away as can be. surfel: surfaces as the surface-distance library has them.
"""


class Flag(StrEnum):
    """What is special about a case."""

    EMPTY_PREDICTION = "empty-prediction"
    EMPTY_REFERENCE = "empty-reference"
    NO_OVERLAP = "no-overlap"
    """Neither mask is empty, and they have no voxel in common."""
    FULL_PREDICTION = "full-prediction"
    """The prediction fills the whole grid."""


@dataclass(frozen=True, slots=True)
class CaseScore:
    """How one predicted mask agrees with its reference; volumes in ml.

    values: of each metric, by name, in the metric's own unit; one that was not measured is not there. diagonal_mm: of
    the case's whole grid, the worst distance that there can be. prediction_sha256, reference_sha256: of the two files;
    tumour_sha256: of what the reference means, its mask's shape and voxels, whatever file it came in. They are ''
    where they are not known, and equal scores are equal whatever they were made from.
    """

    case: str
    tumour_ml: float
    predicted_ml: float
    values: Mapping[str, float]
    diagonal_mm: float
    flags: tuple[Flag, ...] = ()
    prediction_sha256: str = field(default="", compare=False)
    reference_sha256: str = field(default="", compare=False)
    tumour_sha256: str = field(default="", compare=False)

    def to_dict(self) -> dict[str, Any]:
        """All of it, each value under its own name."""
        facts: dict[str, Any] = {}
        for one in fields(self):
            facts |= self.values if one.name == "values" else {one.name: getattr(self, one.name)}
        return facts

    @property
    def dsc(self) -> float:
        """The Dice similarity coefficient, 0-1."""
        return self.values[DSC.name]

    @property
    def hd95_mm(self) -> float:
        """The 95th percentile of the Hausdorff distance."""
        return self.values[HD95.name]


def default_means(scores: Sequence[CaseScore]) -> dict[str, float | None]:
    """Mean DSC (0-1) and HD95 (mm) over cases by name; None without a case."""
    return {one.name: fmean(score.values[one.name] for score in scores) if scores else None for one in DEFAULT}
