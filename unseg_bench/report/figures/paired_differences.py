"""The reference method minus each other one, case by case: points, mean with its interval, who won how often."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.statistics.record import Pair, Statistics
from unseg_bench.errors import ScoreError
from unseg_bench.report.figures.kinds import FigureKind, FigureSettings
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

FAMILY = "overall-dsc"
_SPREAD_MM, _POINTS_MM, _MEAN_MM = 1.2, -1.4, 1.8
"""Jitter of the points, and where points and mean lie from the middle of a row."""


def caption(comparison: Comparison) -> str:
    """Return the caption."""
    reference = "the reference method"
    if comparison.statistics is not None:
        chosen = "" if comparison.statistics.reference_named else " (the best mean DSC, so chosen by the data)"
        reference = comparison.statistics.reference + chosen
    return (
        f"DSC of {reference} minus that of each other method on the same case, percentage points. "
        "Points: cases; tick and bar: mean with its 95 % BCa bootstrap interval over patients. "
        "On the right: mean [interval], and the cases won / tied / lost."
    )


def draw(comparison: Comparison, settings: FigureSettings) -> Figure:
    """Draw one row a rival. Raises: ScoreError without statistics or without a rival."""
    pairs = _statistics(comparison).family(FAMILY).pairs
    if not pairs:
        raise ScoreError("paired-differences: there is one method only; a difference needs two")
    rows = method_rows([pair.b for pair in pairs], 22.0 if settings.narrow else 40.0, least_mm=8.0)
    a = pairs[0].a
    title = wrapped(f"DSC of {a} less that of the other (% points)", settings.width_mm * 0.5, NORMAL)
    figure = new_figure(settings.width_mm, rows.height_mm + 15 + 3.5 * len(title.splitlines()))
    axes = figure.subplots()
    rows.mark(axes)
    axes.grid(axis="x")
    axes.axvline(0, color=EDGE, linewidth=0.8)
    styles = method_styles(comparison.labels)
    for at, pair in zip(rows.centres, pairs, strict=True):
        _draw_pair(axes, at, pair, differences(comparison, pair), styles[pair.b])
    heading = "mean [95 %]\nwon / tied / lost"
    axes.text(1.03, 1.0, heading, transform=axes.transAxes, ha="left", va="bottom", fontsize=SMALL)
    axes.set_xlabel(title)
    add_footer(figure, comparison, *_counts(comparison, pairs), f"right of the line {a} is better")
    return figure


def differences(comparison: Comparison, pair: Pair) -> list[float]:
    """Return a less b in DSC points for the cases that both have, in the order of the cases."""
    scores = {(entry.label, entry.case): entry.dsc for entry in comparison.entries}
    both = [(scores.get((pair.a, case)), scores.get((pair.b, case))) for case in comparison.cases]
    return [100 * (x - y) for x, y in both if x is not None and y is not None]


def _statistics(comparison: Comparison) -> Statistics:
    if comparison.statistics is None:
        raise ScoreError("paired-differences: the comparison was made without statistics")
    return comparison.statistics


def _draw_pair(axes: Axes, at: float, pair: Pair, points: list[float], style: MethodStyle) -> None:
    """Draw the cases above, their mean with its interval below, and the numbers on the right."""
    places = [at + _POINTS_MM + offset for offset in jitter(len(points), _SPREAD_MM)]
    axes.scatter(
        points, places, s=7, marker=style.marker, color=style.colour, edgecolors=EDGE, linewidths=0.3, zorder=3
    )
    mean, interval = 100 * pair.mean_difference, pair.bca_interval
    text = f"{mean:+.1f}"
    if interval.low is not None and interval.high is not None:
        low, high = 100 * interval.low, 100 * interval.high
        axes.plot([low, high], [at + _MEAN_MM] * 2, color=EDGE, linewidth=2.2, solid_capstyle="butt", zorder=4)
        text += f" [{low:+.1f}, {high:+.1f}]"
    axes.plot([mean], [at + _MEAN_MM], marker="|", markersize=7, markeredgewidth=1.2, color=EDGE, zorder=5)
    text = f"{text}\n{pair.wins} / {pair.ties} / {pair.losses}".replace("-", "\N{MINUS SIGN}")
    axes.text(1.03, at, text, transform=axes.get_yaxis_transform(), va="center", ha="left", fontsize=SMALL)


def _counts(comparison: Comparison, pairs: tuple[Pair, ...]) -> list[str]:
    """Say how many cases there are, and which pairs have fewer."""
    fewer = [f"{pair.b}: {pair.n}" for pair in pairs if pair.n < len(comparison.cases)]
    return [cases_text(len(comparison.cases)), *fewer]


KIND = FigureKind(FigureName.PAIRED_DIFFERENCES, "Differences case by case", caption, draw)
