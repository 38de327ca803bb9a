"""What an empty mask earns: the one table of it, by named policy."""

from enum import StrEnum
from typing import NamedTuple


class EmptyPolicy(StrEnum):
    """Named rules for cases in which the prediction, the reference or both have no voxel."""

    DIAGONAL = "diagonal"
    """A missed tumour is as bad as can be: DSC 0, and as distance the diagonal of the case's own grid in mm."""


class EmptyScores(NamedTuple):
    """What a case earns that has an empty mask. Ratios are 0-1; distances are a share of the grid's diagonal."""

    dsc: float
    surface_dsc: float
    precision: float
    recall: float
    distance_diagonals: float


_ONE_EMPTY = EmptyScores(dsc=0.0, surface_dsc=0.0, precision=0.0, recall=0.0, distance_diagonals=1.0)
_BOTH_EMPTY = EmptyScores(dsc=1.0, surface_dsc=1.0, precision=1.0, recall=1.0, distance_diagonals=0.0)

EMPTY_TABLE: dict[EmptyPolicy, dict[tuple[bool, bool], EmptyScores]] = {
    EmptyPolicy.DIAGONAL: {
        (True, False): _ONE_EMPTY,
        (False, True): _ONE_EMPTY,
        (True, True): _BOTH_EMPTY,
    },
}
"""policy -> (prediction is empty, reference is empty) -> scores."""
