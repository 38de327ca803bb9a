"""Mean DSC against the threshold on a run's maps, with the thresholds that its method found marked."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unseg_bench.report.figures.style import (
    COLOURS,
    DOUBLE_MM,
    EDGE,
    GREY,
    MARKERS,
    add_notes,
    cases_text,
    house_style,
    new_figure,
    settle,
)
from unseg_bench.score.curve import DiceCurve
from unseg_bench.score.thresholds import RunThresholds, ThresholdRow

ORACLE = "maximum of the curve (oracle: chosen with the references)"


def draw_thresholds(found: RunThresholds) -> Figure:
    """Draw the curve and its quartiles over cases; marks of label-free thresholds are filled, the others hollow."""
    curve = found.curve
    assert curve is not None  # noqa: S101 - without one there is nothing to draw
    with house_style():
        figure = new_figure(DOUBLE_MM, 78.0)
        axes = figure.subplots()
        axes.grid(axis="y")
        axes.fill_between(
            curve.thresholds,
            *(100 * curve.quartiles),
            color=COLOURS[0],
            alpha=0.2,
            linewidth=0,
            label="middle half of cases",
        )
        axes.plot(curve.thresholds, 100 * curve.mean, color=COLOURS[0], label="mean")
        _mark_oracle(axes, curve)
        for place, row in enumerate(row for row in found.rows if row.value is not None):
            _mark(axes, curve, row, place)
        axes.set_ylim(0, 100)
        axes.set_xlabel("threshold on the map")
        axes.set_ylabel("DSC (%)")
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
        record = found.record
        what = f"{record['method']} on {record['dataset']}, {record['part']}, {cases_text(len(curve.cases))}"
        add_notes(figure, what, *found.notes[1:], evidence=bool(record["evidence"]))
        settle(figure)
    return figure


def _mark(axes: Axes, curve: DiceCurve, row: ThresholdRow, place: int) -> None:
    """Mark one threshold on the curve."""
    value = row.value or 0.0
    colour = COLOURS[1 + place % (len(COLOURS) - 1)]
    told = [*(["with labels"] if row.labels else ["label-free"]), *(["the run's answer"] if row.chosen else [])]
    axes.plot(
        [value],
        [100 * curve.at(value)],
        marker=MARKERS[place % len(MARKERS)],
        markersize=8 if row.chosen else 5.5,
        markerfacecolor="white" if row.labels else colour,
        markeredgecolor=colour if row.labels else EDGE,
        markeredgewidth=1.4 if row.labels else 0.5,
        linestyle="none",
        zorder=4,
        label=f"{row.name} ({', '.join(told)})",
    )


def _mark_oracle(axes: Axes, curve: DiceCurve) -> None:
    threshold, dsc = curve.oracle
    axes.plot([threshold, threshold], [0, 100 * dsc], color=GREY, linestyle=(0, (2, 2)), linewidth=0.8, label=ORACLE)
