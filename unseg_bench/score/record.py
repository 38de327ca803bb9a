"""The score of one case, and the names of the rules by which it was made. Loads nothing but the standard library."""

from dataclasses import dataclass, field
from enum import StrEnum

from unseg_bench.score.empty import EmptyPolicy

SURFACE_TOLERANCE_MM = 2.0
"""Tolerance of `surface_dsc`: two voxels of BraTS, one of the 2 mm phantom."""


class Hd95Definition(StrEnum):
    """Which HD95 a score means; they differ by millimetres on the same masks."""

    POOLED = "pooled"
    """medpy: centres of 6-neighbour border voxels, both directions in one list, 95th percentile (linear)."""
    BORDER_26 = "border-26"
    """As `pooled`, with borders by 26 neighbours (medpy's connectivity 3)."""
    SURFEL = "surfel"
    """surface-distance: voxel corners weighted by surface area, the larger of the two directions, no interpolation."""


class Flag(StrEnum):
    """What is special about a case."""

    EMPTY_PREDICTION = "empty-prediction"
    EMPTY_REFERENCE = "empty-reference"
    NO_OVERLAP = "no-overlap"
    """Neither mask is empty, and they have no voxel in common."""
    FULL_PREDICTION = "full-prediction"
    """The prediction fills the whole grid."""


@dataclass(frozen=True, slots=True)
class ScoringRules:
    """The rules that a score depends on; runs scored by different rules are never compared."""

    hd95: Hd95Definition = Hd95Definition.POOLED
    empty: EmptyPolicy = EmptyPolicy.DIAGONAL
    surface_tolerance_mm: float = SURFACE_TOLERANCE_MM

    def as_dict(self) -> dict[str, str | float]:
        """The rules by name, as `run.json` carries them."""
        return {
            "dsc": "2|A and B| / (|A| + |B|)",
            "hd95": str(self.hd95),
            "empty": str(self.empty),
            "surface_dsc": "surfel",
            "surface_tolerance_mm": self.surface_tolerance_mm,
        }


SCORING_RULES: dict[str, str | float] = ScoringRules().as_dict()
"""The default rules by name."""


@dataclass(frozen=True, slots=True)
class CaseScore:
    """How one predicted mask agrees with its reference; volumes in ml, distances in mm, the others 0-1.

    diagonal_mm: of the case's whole grid, the worst distance that there can be. prediction_sha256, reference_sha256: of
    the two files; tumour_sha256: of what the reference means, its mask's shape and voxels, whatever file it came in.
    They are '' where they are not known, and equal scores are equal whatever they were made from.
    """

    case: str
    tumour_ml: float
    predicted_ml: float
    dsc: float
    hd95_mm: float
    hd_max_mm: float
    hd95_max_directed_mm: float
    surface_dsc: float
    precision: float
    recall: float
    diagonal_mm: float
    flags: tuple[Flag, ...] = ()
    prediction_sha256: str = field(default="", compare=False)
    reference_sha256: str = field(default="", compare=False)
    tumour_sha256: str = field(default="", compare=False)
