"""Mean ranks with Nemenyi's critical difference (Demsar 2006): bars join what the data cannot tell apart."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.statistics.record import Friedman
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.figures.kinds import FigureKind, FigureSettings, statistics_of
from unseg_bench.report.figures.names import FigureName
from unseg_bench.report.figures.style import (
    EDGE,
    GREY,
    NORMAL,
    SMALL,
    MethodStyle,
    Rows,
    add_footer,
    method_rows,
    method_styles,
    new_figure,
    text_width_mm,
)

_AXIS_MM, _CLIQUE_MM, _GAP_MM = 14.5, 1.9, 2.0
"""Depth of the axis below the panel's title, of one bar, and space between a line's end and its name."""


def caption(comparison: Comparison) -> str:
    """Return the caption."""
    return (
        f"Mean rank of each method over the {comparison.part} cases (1 is best). Bars join methods whose mean ranks "
        "differ by less than Nemenyi's critical difference (CD) at the 5 % level, after Friedman's test."
    )


def draw(comparison: Comparison, settings: FigureSettings) -> Figure:
    """Draw one panel a metric. Raises: ScoreError saying why there is no critical difference."""
    shown = _with_difference(comparison)
    sides = [_sides(friedman, settings) for friedman in shown]
    heights = [_AXIS_MM + _CLIQUE_MM * len(_cliques(one)) + max(rows.height_mm for _, rows in side) + 3
               for one, side in zip(shown, sides, strict=True)]  # fmt: skip
    figure = new_figure(settings.width_mm, sum(heights) + 3)
    panels = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)
    for axes, friedman, side, height in zip(panels.flat, shown, sides, heights, strict=True):
        _write_title(axes, friedman, comparison.metric(friedman.metric))
        _draw_panel(axes, friedman, side, (settings.width_mm - 3, height), method_styles(comparison.labels))
    ns = dict.fromkeys(friedman.n for friedman in shown)
    add_footer(figure, comparison, f"n = {' and '.join(map(str, ns))} cases, rank 1 is best")
    return figure


def _with_difference(comparison: Comparison) -> list[Friedman]:
    every = statistics_of(comparison, FigureName.CRITICAL_DIFFERENCE).friedman
    found = [one for one in every if one.critical_difference is not None]
    if not found:
        reasons = dict.fromkeys(one.reason or "no critical difference was computed" for one in every)
        raise ScoreError(f"critical-difference: {'; '.join(reasons)}")
    return found


_Side = tuple[Sequence[str], Rows]


def _sides(friedman: Friedman, settings: FigureSettings) -> list[_Side]:
    """Split the methods, best first, over left and right; in a narrow figure long names all stand on the left."""
    ranks = friedman.mean_ranks
    labels = sorted(ranks, key=lambda label: ranks[label])
    texts = {label: f"{label} ({ranks[label]:.2f})" for label in labels}
    room = settings.width_mm * 0.27
    if settings.narrow and max(map(text_width_mm, texts.values())) > room:
        return [(labels, method_rows(list(texts.values()), settings.width_mm * 0.42))]
    half = (len(labels) + 1) // 2
    return [
        (part, method_rows([texts[label] for label in part], room))
        for part in (labels[:half], labels[half:][::-1])
    ]  # fmt: skip


def _cliques(friedman: Friedman) -> list[tuple[str, ...]]:
    """Return the sets that are worth a bar."""
    return [clique for clique in friedman.cliques if len(clique) > 1]


def _draw_panel(
    axes: Axes,
    friedman: Friedman,
    sides: Sequence[_Side],
    size_mm: tuple[float, float],
    styles: Mapping[str, MethodStyle],
) -> None:
    """Draw axis, critical difference, bars and names; x in ranks, y in mm from the top."""
    width_mm, height_mm = size_mm
    difference = friedman.critical_difference or 0.0
    last = max(len(friedman.mean_ranks), 1 + difference)
    margins = [max(map(text_width_mm, rows.names)) + 2 * _GAP_MM for _, rows in sides]
    left, right = (margins[0], margins[1] if len(margins) > 1 else 3 * _GAP_MM)
    rank_per_mm = (last - 1) / (width_mm - left - right)
    axes.set_xlim(1 - left * rank_per_mm, last + right * rank_per_mm)
    axes.set_ylim(height_mm, 0)
    axes.set_axis_off()
    _draw_axis(axes, friedman, last, difference)
    for place, clique in enumerate(_cliques(friedman)):
        _draw_clique(axes, [friedman.mean_ranks[label] for label in clique], place, rank_per_mm)
    top = _AXIS_MM + _CLIQUE_MM * len(_cliques(friedman)) + 1
    ends = (1 - _GAP_MM * rank_per_mm, last + _GAP_MM * rank_per_mm)
    for (labels, rows), end, align in zip(sides, ends, ("right", "left"), strict=False):
        gap = rank_per_mm if align == "left" else -rank_per_mm
        for label, name, centre in zip(labels, rows.names, rows.centres, strict=True):
            rank, style = friedman.mean_ranks[label], styles[label]
            axes.plot([rank, rank, end], [_AXIS_MM, top + centre, top + centre], color=GREY, linewidth=0.8)
            axes.plot([rank], [_AXIS_MM], marker=style.marker, markersize=4.5, color=style.colour,
                      markeredgecolor=EDGE, markeredgewidth=0.4, zorder=5)  # fmt: skip
            axes.text(end + gap, top + centre, name, ha=align, va="center", fontsize=SMALL)


def _write_title(axes: Axes, friedman: Friedman, metric: Metric) -> None:
    p = "" if friedman.p is None else f", Friedman p {_p_text(friedman.p)}"
    title = f"mean rank by {metric.title}{p}"
    axes.text(0.01, 1, title, transform=axes.transAxes, ha="left", va="top", fontsize=NORMAL)


def _draw_axis(axes: Axes, friedman: Friedman, last: float, difference: float) -> None:
    """Draw the critical difference as a bar from rank 1 on, and the axis with a tick per rank."""
    axes.plot([1, 1 + difference], [7.6, 7.6], color=EDGE, linewidth=1.4, marker="|", markersize=5, gid="cd")
    axes.text(1 + difference / 2, 7.0, f"CD = {difference:.2f}", ha="center", va="bottom", fontsize=SMALL)
    axes.plot([1, last], [_AXIS_MM, _AXIS_MM], color=EDGE, linewidth=0.8)
    for rank in range(1, len(friedman.mean_ranks) + 1):
        axes.plot([rank, rank], [_AXIS_MM - 1, _AXIS_MM], color=EDGE, linewidth=0.8)
        axes.text(rank, _AXIS_MM - 1.3, str(rank), ha="center", va="bottom", fontsize=SMALL)


def _draw_clique(axes: Axes, ranks: Sequence[float], place: int, rank_per_mm: float) -> None:
    """Draw one bar, a little longer than from its first method to its last."""
    y = _AXIS_MM + _CLIQUE_MM * (place + 1)
    ends = [min(ranks) - rank_per_mm, max(ranks) + rank_per_mm]
    axes.plot(ends, [y, y], color=EDGE, linewidth=2.6, solid_capstyle="butt", gid="clique", zorder=4)


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


KIND = FigureKind(FigureName.CRITICAL_DIFFERENCE, "Mean ranks and critical difference", caption, draw)
