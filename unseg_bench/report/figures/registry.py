"""All kinds of figures, in the order in which a paper would bring them."""

from types import MappingProxyType

from unseg_bench.report.figures import (
    critical_difference,
    dsc_by_size,
    examples,
    paired_differences,
    ranking_stability,
    sweep,
    volumes,
)
from unseg_bench.report.figures.kinds import FigureKind

_MODULES = (dsc_by_size, paired_differences, critical_difference, ranking_stability, volumes, examples, sweep)

FIGURES = MappingProxyType[str, FigureKind]({module.KIND.name: module.KIND for module in _MODULES})
"""Every kind by its name."""
