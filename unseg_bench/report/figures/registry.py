"""All kinds of figures, in the order in which a paper would bring them."""

from types import MappingProxyType

from unseg_bench.report.figures import dsc_by_size
from unseg_bench.report.figures.kinds import FigureKind

FIGURES = MappingProxyType[str, FigureKind]({kind.name: kind for kind in (dsc_by_size.KIND,)})
"""Every kind by its name."""
