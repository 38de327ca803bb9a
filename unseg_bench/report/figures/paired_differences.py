"""The reference method minus each other one, case by case: points, mean with its interval, who won how often."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.statistics.record import Pair
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.figures.kinds import FigureSettings, kind_of_metric, statistics_of
from unseg_bench.report.figures.names import FigureName
from unseg_bench.report.figures.style import (
    EDGE,
    NORMAL,
    SMALL,
    MethodStyle,
    add_footer,
    cases_text,
    jitter,
    method_rows,
    method_styles,
    new_figure,
    wrapped,
)

_SPREAD_MM, _POINTS_MM, _MEAN_MM = 1.2, -1.4, 1.8
"""Jitter of the points, and where points and mean lie from the middle of a row."""


def caption(comparison: Comparison, metric: Metric) -> str:
    """Return the caption."""
    reference = "the reference method"
    if comparison.statistics is not None:
        chosen = "" if comparison.statistics.reference_named else " (the best mean DSC, so chosen by the data)"
        reference = comparison.statistics.reference + chosen
    unit = "percentage points" if metric.unit == "%" else metric.unit
    return (
        f"{metric.title} of {reference} minus that of each other method on the same case{f', {unit}' if unit else ''}. "
        "Points: cases; tick and bar: mean with its 95 % BCa bootstrap interval over patients. "
        "On the right: mean [interval], and the cases won / tied / lost."
    )


def draw(comparison: Comparison, settings: FigureSettings, metric: Metric) -> Figure:
    """Draw one row a rival. Raises: ScoreError without statistics or without a rival."""
    pairs = statistics_of(comparison, FigureName.PAIRED_DIFFERENCES).family(f"overall-{metric.short}").pairs
    if not pairs:
        raise ScoreError("paired-differences: there is one method only; a difference needs two")
    rows = method_rows([pair.b for pair in pairs], 22.0 if settings.narrow else 40.0, least_mm=8.0)
    a = pairs[0].a
    unit = "% points" if metric.unit == "%" else metric.unit
    what = f"{metric.title} of {a} minus that of the other{f' ({unit})' if unit else ''}"
    title = wrapped(what, settings.width_mm * 0.5, NORMAL)
    figure = new_figure(settings.width_mm, rows.height_mm + 15 + 3.5 * len(title.splitlines()))
    axes = figure.subplots()
    rows.mark(axes)
    axes.grid(axis="x")
    axes.axvline(0, color=EDGE, linewidth=0.8)
    styles = method_styles(comparison.labels)
    for at, pair in zip(rows.centres, pairs, strict=True):
        _draw_pair(axes, at, pair, differences(comparison, pair, metric), styles[pair.b], metric.scale)
    heading = "mean [95 %]\nwon / tied / lost"
    axes.text(1.03, 1.0, heading, transform=axes.transAxes, ha="left", va="bottom", fontsize=SMALL)
    axes.set_xlabel(title)
    side = "right" if metric.higher_is_better else "left"
    add_footer(figure, comparison, *_counts(comparison, pairs), f"{side} of the line {a} is better")
    return figure


def differences(comparison: Comparison, pair: Pair, metric: Metric) -> list[float]:
    """Return a less b as printed for the cases that both have, in the order of the cases."""
    scores = {(entry.label, entry.case): entry.values[metric.name] for entry in comparison.entries}
    both = [(scores.get((pair.a, case)), scores.get((pair.b, case))) for case in comparison.cases]
    return [metric.scale * (x - y) for x, y in both if x is not None and y is not None]


def _draw_pair(axes: Axes, at: float, pair: Pair, points: list[float], style: MethodStyle, scale: float) -> None:
    """Draw the cases above, their mean with its interval below, and the numbers on the right."""
    places = [at + _POINTS_MM + offset for offset in jitter(len(points), _SPREAD_MM)]
    axes.scatter(
        points, places, s=7, marker=style.marker, color=style.colour, edgecolors=EDGE, linewidths=0.3, zorder=3
    )
    mean, interval = scale * pair.mean_difference, pair.bca_interval
    text = f"{mean:+.1f}"
    if interval.low is not None and interval.high is not None:
        low, high = scale * interval.low, scale * interval.high
        axes.plot([low, high], [at + _MEAN_MM] * 2, color=EDGE, linewidth=2.2, solid_capstyle="butt", zorder=4)
        text += f" [{low:+.1f}, {high:+.1f}]"
    axes.plot([mean], [at + _MEAN_MM], marker="|", markersize=7, markeredgewidth=1.2, color=EDGE, zorder=5)
    text = f"{text}\n{pair.wins} / {pair.ties} / {pair.losses}".replace("-", "\N{MINUS SIGN}")
    axes.text(1.03, at, text, transform=axes.get_yaxis_transform(), va="center", ha="left", fontsize=SMALL)


def _counts(comparison: Comparison, pairs: tuple[Pair, ...]) -> list[str]:
    """Say how many cases there are, and which pairs have fewer."""
    fewer = [f"{pair.b}: {pair.n}" for pair in pairs if pair.n < len(comparison.cases)]
    return [cases_text(len(comparison.cases)), *fewer]


KIND = kind_of_metric(FigureName.PAIRED_DIFFERENCES, "Differences case by case", caption, draw)
