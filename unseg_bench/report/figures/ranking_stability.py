"""How stable the ranking is when patients are resampled: a disc for how often a method took a rank."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.statistics.record import Ranking
from unseg_bench.errors import ScoreError
from unseg_bench.report.figures.kinds import FigureKind, FigureSettings
from unseg_bench.report.figures.names import FigureName
from unseg_bench.report.figures.style import (
    EDGE,
    SMALL,
    Rows,
    add_footer,
    cases_text,
    method_rows,
    method_styles,
    new_figure,
)

LARGEST_POINTS = 15.0
"""Diameter of the disc of a method that always took this rank."""

MOST_ACROSS = 3
"""Panels side by side; those of further metrics stand below."""


def caption(comparison: Comparison) -> str:
    """Return the caption."""
    if comparison.statistics is None or not comparison.statistics.rankings:
        return "Ranks when patients are resampled."
    rankings = comparison.statistics.rankings
    return (
        f"Ranks of the mean in {rankings[0].bootstraps} bootstrap samples of the patients: the area of a disc is the "
        "share of the samples in which a method took that rank. Cross: rank on all cases; line: 95 % interval; "
        "on the right the share of the samples in which it was first (ties share)."
    )


def draw(comparison: Comparison, settings: FigureSettings) -> Figure:
    """Draw one panel a metric. Raises: ScoreError without statistics or with one method."""
    if comparison.statistics is None or not comparison.statistics.rankings:
        raise ScoreError("ranking-stability: the comparison was made without statistics")
    if len(comparison.rows) < 2:
        raise ScoreError("ranking-stability: there is one method only; a ranking needs two")
    rankings = comparison.statistics.rankings
    names_mm = 26.0 if settings.narrow else 30.0
    all_rows = [method_rows(_ordered(ranking), names_mm, least_mm=6.0) for ranking in rankings]
    panel_mm = max(rows.height_mm for rows in all_rows) + 16
    across = 1 if settings.narrow else min(MOST_ACROSS, len(rankings))
    down = -(-len(rankings) // across)
    figure = new_figure(settings.width_mm, panel_mm * down)
    panels = list(figure.subplots(down, across, squeeze=False).flat)
    for spare in panels[len(rankings) :]:
        spare.remove()
    for axes, ranking, rows in zip(panels, rankings, all_rows, strict=False):
        _draw_ranking(axes, comparison, ranking, rows)
    taus = [
        f"{comparison.metric(one.metric).title}: Kendall's tau {one.kendall_tau:.2f}"
        for one in rankings
        if one.kendall_tau is not None
    ]
    add_footer(figure, comparison, cases_text(len(comparison.cases)), f"{rankings[0].bootstraps} samples", *taus)
    return figure


def _ordered(ranking: Ranking) -> list[str]:
    return sorted(ranking.mean_then_rank, key=lambda label: ranking.mean_then_rank[label])


def _draw_ranking(axes: Axes, comparison: Comparison, ranking: Ranking, rows: Rows) -> None:
    """Draw one metric's panel."""
    rows.mark(axes)
    styles = method_styles(comparison.labels)
    for at, label in zip(rows.centres, _ordered(ranking), strict=True):
        style, counts = styles[label], ranking.counts[label]
        low, high = ranking.rank_low[label], ranking.rank_high[label]
        axes.plot([low, high], [at, at], color=EDGE, linewidth=0.8, zorder=2)
        areas = [LARGEST_POINTS**2 * count / ranking.bootstraps for count in counts]
        places = range(1, len(counts) + 1)
        axes.scatter(places, [at] * len(counts), s=areas, color=style.colour, edgecolors=EDGE, linewidths=0.4, zorder=3)
        axes.plot([ranking.mean_then_rank[label]], [at], marker="x", markersize=4, color=EDGE, zorder=4)
        first = ranking.first[label]
        share = "< 1 %" if 0 < first < 0.01 else f"{100 * first:.0f} %"
        axes.text(1.03, at, share, transform=axes.get_yaxis_transform(), ha="left", va="center", fontsize=SMALL)
    axes.text(1.03, 1.0, "first", transform=axes.transAxes, ha="left", va="bottom", fontsize=SMALL)
    count = len(rows.names)
    axes.set_xlim(0.4, count + 0.6)
    axes.set_xticks(range(1, count + 1))
    axes.grid(axis="x")
    axes.set_xlabel(f"rank by mean {comparison.metric(ranking.metric).title}")


KIND = FigureKind(FigureName.RANKING_STABILITY, "Stability of the ranking", caption, draw)
