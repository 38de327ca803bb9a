"""Mean DSC, or another metric, against one numeric option over runs of one method that differ in it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter
from matplotlib.transforms import ScaledTranslation

from unseg_bench.compare.comparison import Cell, Comparison
from unseg_bench.compare.inputs import RunScores
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.metric import Metric
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.report.figures.kinds import FigureSettings, axis_title, kind_of_metric
from unseg_bench.report.figures.names import FigureName
from unseg_bench.report.figures.style import EDGE, NORMAL, add_footer, cases_text, method_styles, new_figure, wrapped
from unseg_bench.score.metrics import DSC

_LOG_FROM = 50.0
"""Values that span at least this factor stand on a logarithmic axis."""
_SIDESTEP_POINTS = 2.5
"""How far lines stand apart on paper, so that their error bars can be told apart."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One method's cells by the value of option `over`; a line for each value of option `by` (None: one line, '')."""

    method: str
    over: str
    by: str | None
    lines: Mapping[str, Mapping[float, Cell]]


def caption(comparison: Comparison, metric: Metric) -> str:
    """Return the caption."""
    over = f"{len(comparison.cases)} {comparison.part} cases"
    return f"Mean {axis_title(metric)} over {over} by one option; bars: ± sd over the cases."


def draw(comparison: Comparison, settings: FigureSettings, metric: Metric) -> Figure:
    """Draw one line, or one a value of a second option. Raises: ScoreError where runs do not make a sweep."""
    sweep = find_sweep(comparison, settings.runs, settings.over, metric)
    figure = new_figure(settings.width_mm, 58.0 if settings.narrow else 72.0)
    axes = figure.subplots()
    axes.grid(axis="y")
    middle = (len(sweep.lines) - 1) / 2
    for place, (style, (name, cells)) in enumerate(
        zip(method_styles(list(sweep.lines)).values(), sweep.lines.items(), strict=True)
    ):
        aside = ScaledTranslation((place - middle) * _SIDESTEP_POINTS / 72, 0, figure.dpi_scale_trans)
        values = sorted(value for value, cell in cells.items() if cell.mean is not None)
        bars = axes.errorbar(
            values,
            [metric.scale * (cells[value].mean or 0.0) for value in values],
            [metric.scale * (cells[value].sd or 0.0) for value in values],
            color=style.colour,
            marker=style.marker,
            linestyle=style.line,
            markersize=4,
            markeredgecolor=EDGE,
            markeredgewidth=0.4,
            elinewidth=0.8,
            capsize=1.8,
            label=name,
        )
        for artist in bars.get_children():
            artist.set_transform(axes.transData + aside)
    _scale(axes, sorted({value for cells in sweep.lines.values() for value in cells}))
    axes.set_xlabel(wrapped(f"{sweep.over} ({sweep.method})", settings.width_mm * 0.7, NORMAL))
    axes.set_ylabel(f"{axis_title(metric)}, mean ± sd")
    if sweep.by is not None:
        figure.legend(loc="outside upper left", ncols=3 if settings.narrow else 6, title=sweep.by, frameon=False)
    add_footer(figure, comparison, cases_text(len(comparison.cases)), "sd over cases")
    return figure


def find_sweep(comparison: Comparison, runs: Sequence[RunScores], over: str | None, metric: Metric = DSC) -> Sweep:
    """Return the sweep that the runs make; `over`: the option, needless where one numeric option alone differs.

    Raises: ScoreError saying which options differ, where no option, several or more than two do.
    """
    method, options = _swept_method(comparison, runs)
    differing = _differing(options)
    numeric = [name for name in differing if all(_is_number(own.get(name)) for own in options.values())]
    if over is None:
        if len(numeric) != 1:
            found = ", ".join(numeric) or "none"
            raise ScoreError(f"sweep: name the option with --over; numeric options in which {method} differs: {found}")
        over = numeric[0]
    if over not in numeric:
        raise ScoreError(
            f"--over {over}: no numeric option in which the runs of {method} differ.{did_you_mean(over, numeric)}"
        )
    others = [name for name in differing if name != over]
    if len(others) > 1:
        raise ScoreError(f"sweep: the runs of {method} differ in more than two options: {', '.join(differing)}")
    by = others[0] if others else None
    rows = {row.label: row.cells[metric.name] for row in comparison.rows}
    lines: dict[str, dict[float, Cell]] = {}
    for label, own in options.items():
        line = "" if by is None else _text(own.get(by))
        value = own[over]
        assert isinstance(value, int | float)  # noqa: S101 - `numeric` holds such options alone
        lines.setdefault(line, {})[float(value)] = rows[label]
    return Sweep(method, over, by, {line: lines[line] for line in sorted(lines, key=_in_order)})


def _swept_method(comparison: Comparison, runs: Sequence[RunScores]) -> tuple[str, dict[str, Mapping[str, object]]]:
    """Return the one method that stands in several rows, and its options by label."""
    labels = set(comparison.labels)
    by_method: dict[str, dict[str, Mapping[str, object]]] = {}
    for run in runs:
        if run.label in labels:
            by_method.setdefault(run.method, {})[run.label] = run.options
    swept = {method: options for method, options in by_method.items() if len(options) > 1}
    if len(swept) != 1:
        found = f"{' and '.join(sorted(swept))} each differ" if swept else "no two of a method differ"
        raise ScoreError(f"sweep: name runs of one method that differ in an option; of the runs here {found}")
    return swept.popitem()


def _differing(options: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The names of the options that are not the same for all labels."""
    names = dict.fromkeys(name for own in options.values() for name in own)
    return [name for name in names if len({_text(own.get(name)) for own in options.values()}) > 1]


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_order(line: str) -> tuple[float, str]:
    """Numbers by value, then words by letters."""
    try:
        return float(line), ""
    except ValueError:
        return math.inf, line


def _text(value: object) -> str:
    if _is_number(value):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Put ticks at the values themselves where they are few, on a logarithmic axis where they span much."""
    if values[0] > 0 and values[-1] / values[0] >= _LOG_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if len(values) <= 8:
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.xaxis.set_minor_locator(NullLocator())


KIND = kind_of_metric(FigureName.SWEEP, "DSC against an option", caption, draw, usual=False)
