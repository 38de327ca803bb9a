"""What a kind of figure is, and what all kinds are drawn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.statistics.record import Statistics
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.figures.style import DOUBLE_MM, SINGLE_MM, house_style, settle
from unseg_bench.score.metrics import DEFAULT, DSC


@dataclass(frozen=True, slots=True)
class FigureSettings:
    """What a figure may need beside the comparison.

    width_mm: printed width. runs: the scores behind the comparison, with folders (`examples`) and options (`sweep`).
    data: where the runs' data folder is now, if it has moved. case, slice_index: what `examples` shows instead of its
    own choice; slices are axial, counted from 0 at the lowest of the file. over: the option along the axis of `sweep`.
    """

    width_mm: float = DOUBLE_MM
    runs: Sequence[RunScores] = ()
    data: Path | None = None
    case: str | None = None
    slice_index: int | None = None
    over: str | None = None

    @property
    def narrow(self) -> bool:
        """Whether the figure is for one column of a journal."""
        return self.width_mm < (SINGLE_MM + DOUBLE_MM) / 2


Draw = Callable[[Comparison, FigureSettings], Figure]


@dataclass(frozen=True, slots=True)
class FigureKind:
    """One kind of figure: its name on the command line, its title, the caption for a paper, and how it is drawn.

    usual: whether most comparisons can have it, so that its absence from a page must be explained. of: makes the same
    figure of another metric than DSC; None where all metrics stand in one figure, or none.
    """

    name: str
    title: str
    caption: Callable[[Comparison], str]
    function: Draw
    usual: bool = True
    of: "Callable[[Metric], FigureKind] | None" = None

    def each(self, comparison: Comparison) -> "list[FigureKind]":
        """Return the figure, and the same of every metric that was asked for."""
        asked = [metric for metric in comparison.metrics if metric not in DEFAULT]
        return [self, *(self.of(metric) for metric in asked if self.of is not None)]

    def draw(self, comparison: Comparison, settings: FigureSettings | None = None) -> Figure:
        """Draw it in the house's style. Raises: ScoreError saying why it cannot be drawn from this comparison."""
        with house_style():
            figure = self.function(comparison, settings or FigureSettings())
            settle(figure)
        return figure


def kind_of_metric(
    name: str,
    title: str,
    caption: Callable[[Comparison, Metric], str],
    draw: Callable[[Comparison, FigureSettings, Metric], Figure],
    metric: Metric = DSC,
    *,
    usual: bool = True,
) -> FigureKind:
    """Return the figure of one metric, and through it that of any other.

    name, title: as they are of DSC; for others the metric takes its place ('recall-by-size') or follows.
    """
    return FigureKind(
        name=_renamed(str(name), DSC.short, metric.short, "-"),
        title=_renamed(title, DSC.title, metric.title, ": "),
        caption=lambda comparison: caption(comparison, metric),
        function=lambda comparison, settings: draw(comparison, settings, metric),
        usual=usual,
        of=lambda other: kind_of_metric(name, title, caption, draw, other, usual=usual),
    )


def _renamed(text: str, old: str, new: str, between: str) -> str:
    return text.replace(old, new) if old in text or old == new else f"{text}{between}{new}"


def statistics_of(comparison: Comparison, figure: str) -> Statistics:
    """Return the statistics that a figure draws. Raises: ScoreError where there are none."""
    if comparison.statistics is None:
        raise ScoreError(f"{figure}: the comparison was made without statistics")
    return comparison.statistics


def axis_title(metric: Metric) -> str:
    """Return 'DSC (%)', or the title alone of a metric without a unit."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title
