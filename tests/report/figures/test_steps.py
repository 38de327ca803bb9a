"""A step's picture: marks where the pixels are, in mm; a scale for heat; a legend of what is there; wrapped texts."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from unseg_bench.errors import PluginError
from unseg_bench.plugins.explain import Explanation, Step, checked
from unseg_bench.plugins.trial import tiny_case
from unseg_bench.report.case_pictures import slug
from unseg_bench.report.figures.example_panels import HeadSlice
from unseg_bench.report.figures.steps import SlicedStep, draw_step
from unseg_bench.report.figures.write import figure_bytes

SPACING = (1.0, 3.0)


@pytest.fixture
def step():
    """Make a step on a grid of 40 x 20 pixels of 1 x 3 mm."""

    def make(**values):
        grey = np.full((40, 20), 90, np.uint8)
        head = HeadSlice(grey, SPACING, np.zeros(grey.shape, bool), {})
        return SlicedStep(**{"title": "A step", "head": head, "footer": "case a", **values})

    return make


def panel(figure, number=0):
    return figure.axes[number]


def legend(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_one_mm_is_as_long_across_as_down(step):
    figure = draw_step(step())
    box = panel(figure).get_position()
    width, height = figure.get_size_inches()
    (left, right), (bottom, top) = panel(figure).get_xlim(), panel(figure).get_ylim()
    assert (right - left, bottom - top) == (48, 68)
    assert box.width * width / 48 == pytest.approx(box.height * height / 68)
    assert legend(figure) == []


def test_a_box_holds_its_corner_pixels_and_a_point_is_in_the_middle_of_its_own(step):
    figure = draw_step(step(boxes=[(2, 3, 5, 3)], points=[(2, 3, True), (5, 4, False)]))
    (box,) = (patch for patch in panel(figure).patches if isinstance(patch, Rectangle))
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((2, 9), 4, 3)
    lines = {line.get_marker(): line for line in panel(figure).lines if line.get_linestyle() == "None"}
    assert {marker: tuple(line.get_xydata()[0]) for marker, line in lines.items()} == {
        "o": (2.5, 10.5),
        "X": (5.5, 13.5),
    }
    assert legend(figure) == ["box", "foreground point", "background point"]


def test_an_outline_runs_between_the_pixels(step):
    mask = np.zeros((40, 20), bool)
    mask[10:12, 5] = True
    figure = draw_step(step(mask=mask))
    (outline,) = panel(figure).collections
    corners = outline.get_paths()[0].get_extents().bounds
    assert corners == pytest.approx((10, 15, 2, 3), abs=0.01)
    assert legend(figure) == ["mask"]
    assert legend(draw_step(step(mask=np.zeros((40, 20), bool)))) == []


def test_heat_stands_beside_the_image_under_one_scale_from_0_to_1(step):
    heat = np.zeros((40, 20))
    heat[3, 4] = 1
    figure = draw_step(step(heat=heat, points=[(1, 1, True)]))
    image, heated, scale = figure.axes
    drawn = heated.images[-1]
    assert drawn.get_clim() == (0, 1)
    assert drawn.get_array()[4, 3] == 1
    assert drawn.get_extent() == image.images[0].get_extent() == [0, 40, 60, 0]
    assert (heated.get_xlim(), heated.get_ylim()) == (image.get_xlim(), image.get_ylim())
    assert [label.get_text() for label in scale.get_yticklabels()] == ["0.0", "0.5", "1.0"]
    assert len(heated.lines) == 1
    greys = [np.dot(drawn.cmap(level)[:3], (0.2126, 0.7152, 0.0722)) for level in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert greys == sorted(greys)
    assert to_hex(drawn.cmap(1.0)) != to_hex(drawn.cmap(0.0))


def test_long_texts_are_wrapped_and_stay_on_the_paper(step):
    figure = draw_step(step(title="long " * 60, note="note " * 80, footer="footer " * 40))
    figure.draw_without_rendering()
    whole = figure.bbox
    for text in figure.texts:
        extent = text.get_window_extent()
        assert whole.x0 <= extent.x0 < extent.x1 <= whole.x1
        assert whole.y0 <= extent.y0 < extent.y1 <= whole.y1
    extents = sorted((text.get_window_extent() for text in figure.texts), key=lambda one: one.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(extents))


def test_markup_in_texts_is_text_and_bytes_are_the_same_twice(step):
    one, two = (figure_bytes(draw_step(step(title="$x_1$ & <b>")), "png") for _ in range(2))
    assert one == two
    assert one.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("title", "name"),
    [("Layer-CAM (mean)", "layer-cam-mean"), ("../../x", "x"), ("ΔΔ", "step"), ("", "step"), ("a" * 99, "a" * 40)],
)
def test_slugs_are_safe_file_names(title, name):
    assert slug(title) == name


def test_an_explanation_must_cover_the_case():
    volume, other = tiny_case("a", 1).volume, tiny_case("a", 1, spacing_mm=(5.0, 4.0, 4.0)).volume
    mask = Step("mask", mask=volume.empty_mask())
    assert checked(Explanation(volume, [mask]), volume, "m").steps == [mask]
    wrong = {
        "does not cover the same space": Explanation(other, [mask]),
        "must return an Explanation with steps": Explanation(volume, []),
        "its mask is uint8, not bool": Explanation(volume, [Step("x", mask=volume.empty_mask().astype(np.uint8))]),
        "not within 0 and 1": Explanation(volume, [Step("x", heat=np.full(volume.shape, np.nan))]),
        r"prompts in slices \[99\]": Explanation(volume, [Step("x", boxes={99: [(0, 0, 1, 1)]})]),
    }
    for told, explanation in wrong.items():
        with pytest.raises(PluginError, match=told):
            checked(explanation, volume, "m")
