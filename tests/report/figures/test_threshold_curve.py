"""The curve of a run's maps: the numbers that it is drawn from, marks that tell who saw labels, texts inside."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from unseg_bench.report.figures.style import house_style
from unseg_bench.report.figures.threshold_curve import draw_thresholds
from unseg_bench.report.figures.write import figure_bytes
from unseg_bench.score.curve import DiceCurve
from unseg_bench.score.thresholds import RunThresholds, ThresholdRow

RECORD = {"method": "cuts", "dataset": "phantom", "part": "test", "evidence": False}
THRESHOLDS = np.linspace(-1, 3, 9, dtype=np.float32)
ROWS = (
    ThresholdRow("q0.98", 1.0, True, False, 0.02, 4, 0.5, 9.0),
    ThresholdRow("best-dice", 1.5, False, True, 0.01, 4, 0.6, 8.0),
    ThresholdRow("otsu", None, False, False, None, 0, None, None),
)


@pytest.fixture
def found():
    dsc = np.random.default_rng(0).random((4, len(THRESHOLDS)))
    return RunThresholds(Path("run"), RECORD, ROWS, DiceCurve(tuple("abcd"), THRESHOLDS, dsc))


def marks(figure):
    return {line.get_label().partition(" ")[0]: line for line in figure.axes[0].lines}


def test_the_line_is_the_mean_in_percent_and_the_marks_lie_on_it(found):
    figure = draw_thresholds(found)
    lines = marks(figure)
    assert lines["mean"].get_ydata() == pytest.approx(100 * found.curve.mean)
    for name, place in (("q0.98", 4), ("best-dice", 5)):
        assert lines[name].get_xydata().tolist() == [[THRESHOLDS[place], pytest.approx(100 * found.curve.mean[place])]]
    threshold, dsc = found.curve.oracle
    assert lines["maximum"].get_xydata().tolist() == [[threshold, 0], [threshold, pytest.approx(100 * dsc)]]
    assert "otsu" not in lines


def test_a_threshold_that_saw_labels_is_hollow_and_named_so(found):
    lines = marks(draw_thresholds(found))
    assert to_hex(lines["best-dice"].get_markerfacecolor()) == "#ffffff"
    assert to_hex(lines["q0.98"].get_markerfacecolor()) != "#ffffff"
    assert lines["best-dice"].get_label() == "best-dice (with labels)"
    assert lines["q0.98"].get_label() == "q0.98 (label-free, the run's answer)"


def test_texts_are_inside_and_say_what_is_no_evidence(found):
    figure = draw_thresholds(found)
    canvas = FigureCanvasAgg(figure)
    with house_style():
        canvas.draw()
    axes = figure.axes[0]
    texts = [*figure.texts, *figure.legends[0].get_texts(), axes.xaxis.label, axes.yaxis.label]
    for text in texts:
        box = text.get_window_extent(canvas.get_renderer())
        assert min(box.x0, box.y0) >= -0.5, text.get_text()
        assert box.x1 <= figure.bbox.width + 0.5, text.get_text()
        assert box.y1 <= figure.bbox.height + 0.5, text.get_text()
    written = " ".join(text.get_text().replace("\n", " ") for text in texts)
    assert "n = 4 cases" in written
    assert "oracle" in written
    assert "phantom: no evidence" in written


def test_the_same_bytes_twice(found):
    assert figure_bytes(draw_thresholds(found), "svg") == figure_bytes(draw_thresholds(found), "svg")
