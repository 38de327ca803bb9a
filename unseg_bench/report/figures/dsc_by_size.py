"""DSC, or another metric, of every case by group of tumour size: a panel per group, a row per method."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unseg_bench.compare.comparison import Column, Comparison
from unseg_bench.compare.groups import FEW_CASES
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.figures.kinds import FigureSettings, axis_title, kind_of_metric
from unseg_bench.report.figures.names import FigureName
from unseg_bench.report.figures.style import (
    EDGE,
    SMALL,
    MethodStyle,
    Rows,
    add_footer,
    cases_text,
    jitter,
    method_rows,
    method_styles,
    new_figure,
)

_HEAD_MM, _AXIS_MM = 9.0, 10.0


def caption(comparison: Comparison, metric: Metric) -> str:
    """Return the caption."""
    return (
        f"{axis_title(metric)} of each of {len(comparison.cases)} {comparison.part} cases of {comparison.dataset} by "
        f"{comparison.grouping}. Boxes: quartiles and median; whiskers: furthest case within 1.5 interquartile ranges; "
        f"points: cases (seeds averaged). No box below {FEW_CASES} cases."
    )


def draw(comparison: Comparison, settings: FigureSettings, metric: Metric) -> Figure:
    """Draw boxes and points. Raises: ScoreError where the comparison has no groups."""
    groups = [column for column in comparison.columns if column.group is not None and column.metric == metric]
    if not groups:
        raise ScoreError(f"{metric.short}-by-size: the comparison has no groups; ask for some with --groups 5")
    across = min(2 if settings.narrow else 5, len(groups))
    down = -(-len(groups) // across)
    rows = method_rows(comparison.labels, 24.0 if settings.narrow else 34.0)
    figure = new_figure(
        settings.width_mm, down * (rows.height_mm + _HEAD_MM) + _AXIS_MM * (2 if len(groups) % across else 1)
    )
    panels = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    for column, axes in zip(groups, panels, strict=False):
        _draw_group(axes, comparison, column, rows)
    _finish(panels, len(groups), across, metric)
    add_footer(figure, comparison, cases_text(len(comparison.cases)), *_missing(comparison))
    return figure


def values(comparison: Comparison, group: str, label: str, metric: Metric) -> list[float]:
    """Return what one method's cases of one group are worth as printed, those without a value left out."""
    return [
        metric.scale * value
        for entry in comparison.entries
        if entry.label == label and entry.group == group and (value := entry.values[metric.name]) is not None
    ]


def _draw_group(axes: Axes, comparison: Comparison, column: Column, rows: Rows) -> None:
    """Draw one group's panel."""
    group = column.group or ""
    volumes = "–".join(dict.fromkeys((f"{column.low_ml:.3g}", f"{column.high_ml:.3g}")))
    axes.set_title(f"{group}\n{volumes} ml, n = {column.n}", fontsize=SMALL)
    axes.grid(axis="x")
    rows.mark(axes)
    for at, (label, style) in zip(rows.centres, method_styles(comparison.labels).items(), strict=True):
        numbers = values(comparison, group, label, column.metric)
        if len(numbers) >= FEW_CASES:
            _box(axes, at, numbers, style)
        axes.scatter(
            numbers,
            np.add(at, jitter(len(numbers), 1.1)),
            s=7,
            marker=style.marker,
            color=style.colour,
            edgecolors=EDGE,
            linewidths=0.3,
            zorder=3,
            clip_on=False,
        )


def _box(axes: Axes, at: float, numbers: list[float], style: MethodStyle) -> None:
    """Draw one lying box behind the points."""
    line = {"color": EDGE, "linewidth": 0.7}
    axes.boxplot(
        [numbers],
        positions=[at],
        widths=3.2,
        orientation="horizontal",
        patch_artist=True,
        showfliers=False,
        manage_ticks=False,
        boxprops={"facecolor": style.colour, "alpha": 0.3, "linewidth": 0.7},
        medianprops={"color": EDGE, "linewidth": 1.6, "zorder": 4},
        whiskerprops=line,
        capprops=line,
    )


def _finish(panels: Sequence[Axes], used: int, across: int, metric: Metric) -> None:
    """Scale the shared axis and take away panels without a group, so that each column keeps its numbers below."""
    if metric.unit == "%":
        panels[0].set_xlim(0, 100)
        panels[0].set_xticks([0, 25, 50, 75, 100], ["0", "", "50", "", "100"])
    for spare in panels[used:]:
        spare.remove()
    for lowest in panels[max(used - across, 0) : used]:
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(axis_title(metric))


def _missing(comparison: Comparison) -> list[str]:
    """Say which methods lack predictions."""
    lacking = {row.label: row.cells["dsc"].missing for row in comparison.rows}
    return [f"{label}: {cases_text(count)[4:]} without a prediction" for label, count in lacking.items() if count]


KIND = kind_of_metric(FigureName.DSC_BY_SIZE, "DSC by tumour size", caption, draw)
