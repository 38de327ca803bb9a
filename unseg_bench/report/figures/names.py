"""Names of the figures and formats; loads next to nothing, so that the command line can offer them."""

from enum import StrEnum
from pathlib import Path

from unseg_bench.errors import SettingsError


class FigureName(StrEnum):
    """The figures, in the order in which a paper would bring them."""

    DSC_BY_SIZE = "dsc-by-size"
    PAIRED_DIFFERENCES = "paired-differences"
    CRITICAL_DIFFERENCE = "critical-difference"
    RANKING_STABILITY = "ranking-stability"
    VOLUMES = "volumes"
    EXAMPLES = "examples"
    SWEEP = "sweep"


class FileFormat(StrEnum):
    """What a figure can be written as."""

    SVG = "svg"
    PDF = "pdf"
    PNG = "png"


NEED_STATISTICS = frozenset(
    {FigureName.PAIRED_DIFFERENCES, FigureName.CRITICAL_DIFFERENCE, FigureName.RANKING_STABILITY}
)
"""The figures that draw what `Comparison.statistics` holds."""


def check_ending(option: str, path: Path) -> None:
    """Raise SettingsError, before anything is computed, for a file of no format that a figure can be written as."""
    endings = [f".{name}" for name in FileFormat]
    if path.suffix not in endings:
        raise SettingsError(f"{option} {path}: what kind of file is this? Known endings: {', '.join(endings)}")
