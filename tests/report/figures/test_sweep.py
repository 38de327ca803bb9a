"""A sweep is found in the options of the runs, and its points are the rows' cells."""

from dataclasses import replace

import numpy as np
import pytest

from unseg_bench.compare.inputs import RunScores
from unseg_bench.errors import ScoreError
from unseg_bench.report.figures.kinds import FigureSettings
from unseg_bench.report.figures.registry import FIGURES


def runs_of(comparison, options, methods=None):
    facts = {"seed": 0, "label_free": "sealed", "dataset": "d", "split": "s", "part": "test", "evidence": True}
    methods = methods or ["clisc"] * len(options)
    return [
        RunScores(method=method, label=label, scores=(), options=own, **facts)
        for label, own, method in zip(comparison.labels, options, methods, strict=True)
    ]


def drawn(comparison, runs, over=None):
    (axes,) = FIGURES["sweep"].draw(comparison, FigureSettings(runs=runs, over=over)).axes
    return axes


def test_one_option_is_found_and_drawn(make):
    comparison = make(3)
    runs = runs_of(comparison, [{"a.b": 10, "mode": "x"}, {"a.b": 1.0, "mode": "x"}, {"a.b": 5, "mode": "x"}])
    axes = drawn(comparison, runs)
    (bars,) = axes.containers
    cells = [comparison.rows[i].cells["dsc"] for i in (1, 2, 0)]
    assert list(bars[0].get_xdata()) == [1, 5, 10]
    np.testing.assert_allclose(np.asarray(bars[0].get_ydata(), float), [100 * cell.mean for cell in cells])
    spans = [np.ptp(segment[:, 1]) / 2 for segment in bars[2][0].get_segments()]
    np.testing.assert_allclose(spans, [100 * cell.sd for cell in cells])
    low, high = axes.get_ylim()
    assert low < min(bars[0].get_ydata()) < max(bars[0].get_ydata()) < high
    assert axes.get_xlabel() == "a.b (clisc)"


def test_a_second_option_makes_lines_in_its_order(make):
    comparison = make(4)
    options = [{"alpha": a, "beta": b} for b in (20.0, 5.0) for a in (1, 100)]
    figure = FIGURES["sweep"].draw(comparison, FigureSettings(runs=runs_of(comparison, options), over="alpha"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["5", "20"]
    assert figure.axes[0].get_xscale() == "log"


@pytest.mark.parametrize(
    ("options", "over", "words"),
    [
        ([{"a": 1, "b": 1}, {"a": 2, "b": 2}], None, "--over; numeric options in which clisc differs: a, b"),
        ([{"a": 1}, {"a": 2}], "aa", "Did you mean 'a'"),
        ([{"a": "x"}, {"a": "y"}], "a", "no numeric option"),
        ([{"a": True}, {"a": False}], None, "none"),
        ([{"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 2}], "a", "more than two options: a, b, c"),
    ],
)
def test_what_is_no_sweep_says_why(make, options, over, words):
    comparison = make(2)
    with pytest.raises(ScoreError, match=words):
        drawn(comparison, runs_of(comparison, options), over)


def test_two_swept_methods_are_one_too_many(make):
    comparison = make(4)
    runs = runs_of(comparison, [{"a": i} for i in range(4)], ["x", "x", "y", "y"])
    with pytest.raises(ScoreError, match="x and y each differ"):
        drawn(comparison, runs)


def test_a_row_without_a_mean_is_left_out(make):
    comparison = make(3)
    row = comparison.rows[1]
    cells = {**row.cells, "dsc": replace(row.cells["dsc"], mean=None, sd=None, n=0)}
    comparison = replace(comparison, rows=(comparison.rows[0], replace(row, cells=cells), comparison.rows[2]))
    axes = drawn(comparison, runs_of(comparison, [{"a": 1}, {"a": 2}, {"a": 3}]))
    assert list(axes.containers[0][0].get_xdata()) == [1, 3]
