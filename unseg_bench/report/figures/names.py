"""Names of the figures and formats; loads nothing, so that the command line can offer them."""

from enum import StrEnum


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
