"""Predicted against reference volume (Bland and Altman): a panel a method, bias and limits of agreement."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from unseg_bench.compare.comparison import Comparison
from unseg_bench.errors import ScoreError
from unseg_bench.report.figures.kinds import FigureKind, FigureSettings
from unseg_bench.report.figures.names import FigureName
from unseg_bench.report.figures.style import (
    EDGE,
    LINE_MM,
    SMALL,
    MethodStyle,
    add_footer,
    cases_text,
    method_styles,
    new_figure,
    wrapped,
)

_LOG_FROM = 20.0
"""Reference volumes that span more than this factor stand on a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Bias (mean of predicted less reference, ml) and its 95 % limits, bias -/+ 1.96 sd (ddof 1; None for one case)."""

    bias: float
    low: float | None
    high: float | None
    n: int


def agreement(differences_ml: Sequence[float]) -> Agreement:
    """Return bias and limits of agreement (Bland and Altman 1986) of at least one difference in ml."""
    bias = fmean(differences_ml)
    if len(differences_ml) < 2:
        return Agreement(bias, None, None, len(differences_ml))
    reach = 1.96 * stdev(differences_ml)
    return Agreement(bias, bias - reach, bias + reach, len(differences_ml))


def caption(comparison: Comparison) -> str:
    """Return the caption."""
    return (
        f"Predicted less reference tumour volume against reference volume, ml, {comparison.part} cases (Bland and "
        "Altman; the reference is on the axis since it is the standard). Solid line: bias; dashed: 95 % limits of "
        "agreement (bias ± 1.96 sd). Hollow: nothing was predicted."
    )


def draw(comparison: Comparison, settings: FigureSettings) -> Figure:
    """Draw one panel a method, all on the same axes. Raises: ScoreError where no method has a predicted volume."""
    points = {label: volumes(comparison, label) for label in comparison.labels}
    if not any(points.values()):
        raise ScoreError("volumes: no method has a predicted volume")
    across = min(2 if settings.narrow else 4, len(points))
    down = -(-len(points) // across)
    title_mm = settings.width_mm / across - (14 if across > 1 else 20)
    titles = {label: wrapped(label, title_mm) for label in points}
    lines = max(len(title.splitlines()) for title in titles.values()) + 2
    figure = new_figure(settings.width_mm, down * (30 + LINE_MM * lines) + 10 * (2 if len(points) % across else 1))
    panels = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    for axes, (label, style) in zip(panels, method_styles(comparison.labels).items(), strict=False):
        _draw_method(axes, titles[label], points[label], style)
    _finish(panels, len(points), across, comparison)
    add_footer(figure, comparison, cases_text(len(comparison.cases)))
    return figure


def volumes(comparison: Comparison, label: str) -> list[tuple[float, float]]:
    """Return (reference, predicted) in ml of the cases that a method has a prediction for."""
    own = [entry for entry in comparison.entries if entry.label == label]
    pairs = [(entry.tumour_ml, entry.predicted_ml) for entry in own]
    return [(reference, predicted) for reference, predicted in pairs if reference is not None and predicted is not None]


def _draw_method(axes: Axes, title: str, points: Sequence[tuple[float, float]], style: MethodStyle) -> None:
    """Draw one method's panel."""
    axes.axhline(0, color="#BBBBBB", linewidth=0.6, zorder=1)
    if not points:
        axes.set_title(f"{title}\nno prediction", fontsize=SMALL)
        return
    for empty, face in ((False, style.colour), (True, "none")):
        some = [(reference, predicted - reference) for reference, predicted in points if (predicted == 0) == empty]
        axes.scatter(
            [x for x, _ in some],
            [y for _, y in some],
            s=9,
            marker=style.marker,
            facecolors=face,
            edgecolors=EDGE,
            linewidths=0.35,
            zorder=3,
        )
    found = agreement([predicted - reference for reference, predicted in points])
    axes.axhline(found.bias, color=EDGE, linewidth=1.1, zorder=2, gid="bias")
    text = f"bias {_signed(found.bias)} ml"
    if found.low is not None and found.high is not None:
        for limit in (found.low, found.high):
            axes.axhline(limit, color=EDGE, linewidth=0.8, linestyle=(0, (4, 2)), zorder=2, gid="limit")
        text += f"\nlimits {_signed(found.low)}, {_signed(found.high)}"
    axes.set_title(f"{title}\n{text}", fontsize=SMALL)


def _finish(panels: Sequence[Axes], used: int, across: int, comparison: Comparison) -> None:
    """Scale and name the shared axes, and take away panels without a method."""
    references = [entry.tumour_ml for entry in comparison.entries if entry.tumour_ml is not None]
    if min(references) > 0 and max(references) / min(references) > _LOG_FROM:
        panels[0].set_xscale("log")
        panels[0].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panels[0].xaxis.set_minor_formatter(NullFormatter())
    for spare in panels[used:]:
        spare.remove()
    for lowest in panels[max(used - across, 0) : used]:
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel("reference (ml)")
    for first in panels[:used:across]:
        first.set_ylabel("predicted less\nreference (ml)")


def _signed(ml: float) -> str:
    return f"{ml:+.1f}".replace("-", "\N{MINUS SIGN}")


KIND = FigureKind(FigureName.VOLUMES, "Predicted and reference volume", caption, draw)
