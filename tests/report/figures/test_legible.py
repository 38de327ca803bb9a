"""Every text is large enough, inside the canvas and apart from its neighbours, whatever the methods are called."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from unseg_bench.report.figures.kinds import FigureSettings
from unseg_bench.report.figures.registry import FIGURES
from unseg_bench.report.figures.style import DOUBLE_MM, SINGLE_MM, house_style, text_width_mm, wrapped

FEWEST = {
    "dsc-by-size": 1,
    "paired-differences": 2,
    "critical-difference": 3,
    "ranking-stability": 2,
    "volumes": 1,
}
"""The figures that are drawn from records alone, and the methods that each needs at least."""


def visible_texts(figure, renderer):
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(renderer)
            if box.width > 0:
                yield text, box


def shown(figure):
    """Lay the figure out and return its renderer."""
    canvas = FigureCanvasAgg(figure)
    with house_style():
        canvas.draw()
    return canvas.get_renderer()


def ticks_outside(axes):
    """Ticks beyond the ends of an axis exist as objects and are never drawn."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks() + axis.get_minor_ticks():
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


@pytest.mark.slow
@pytest.mark.parametrize("width", [SINGLE_MM, DOUBLE_MM])
@pytest.mark.parametrize(("name", "methods"), [(name, n) for name in FEWEST for n in (FEWEST[name], 4, 8)])
def test_texts_are_inside_and_apart(make, name, methods, width):
    comparison = make(methods, missing=[(0, 1)], evidence=False)
    figure = FIGURES[name].draw(comparison, FigureSettings(width_mm=width))
    renderer = shown(figure)
    never_drawn = {id(label) for axes in figure.axes for label in ticks_outside(axes)}
    found = [(text, box) for text, box in visible_texts(figure, renderer) if id(text) not in never_drawn]
    wide, high = figure.bbox.width, figure.bbox.height
    assert wide / figure.dpi * 25.4 == pytest.approx(width)
    for text, box in found:
        assert text.get_fontsize() >= 7
        assert box.x0 >= -0.5, text.get_text()
        assert box.y0 >= -0.5, text.get_text()
        assert box.x1 <= wide + 0.5, text.get_text()
        assert box.y1 <= high + 0.5, text.get_text()
    for (one, a), (other, b) in itertools.combinations(found, 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert apart, (one.get_text(), other.get_text())
    assert any("n = 75" in text.get_text() for text, _ in found)
    assert any("phantom: no" in text.get_text().replace("\n", " ") for text, _ in found)


@pytest.mark.parametrize("name", FEWEST)
def test_real_data_have_no_warning_and_axes_have_titles(make, name):
    figure = FIGURES[name].draw(make(4))
    assert not any("phantom" in text.get_text() for text in figure.texts)
    if name != "critical-difference":
        assert figure.axes[-1].get_xlabel()


@pytest.mark.parametrize("text", ["clisc", "clisc paper, amda.alpha=10", "a" * 60, "x/y-z_w (1a2b3c4d)", "  "])
@pytest.mark.parametrize("width", [12.0, 25.0, 80.0])
def test_wrapped_lines_fit_and_lose_nothing(text, width):
    lines = wrapped(text, width).split("\n")
    assert all(text_width_mm(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
