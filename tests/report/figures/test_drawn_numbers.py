"""What is drawn are the numbers of the records."""

import numpy as np
import pytest
from matplotlib.lines import Line2D

from unseg_bench.errors import ScoreError
from unseg_bench.report.figures.registry import FIGURES
from unseg_bench.report.figures.style import MARKERS, house_style, method_styles
from unseg_bench.report.figures.volumes import agreement


def lines(axes, gid):
    return [line for line in axes.get_lines() if line.get_gid() == gid]


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def offsets(axes):
    return [np.asarray(collection.get_offsets()) for collection in axes.collections]


def test_boxes_and_points_are_the_cases(make):
    comparison = make(3, missing=[(1, 4)])
    figure = FIGURES["dsc-by-size"].draw(comparison)
    assert [axes.get_title().splitlines()[0] for axes in figure.axes] == ["Tiny", "Small", "Medium", "Large", "Huge"]
    for axes, column in zip(figure.axes, comparison.columns[2:], strict=True):
        assert f"{column.low_ml:.3g}–{column.high_ml:.3g} ml, n = 15" in axes.get_title()
        medians = [line.get_xdata()[0] for line in axes.get_lines() if line.get_linewidth() == 1.6]
        for label, points, median in zip(comparison.labels, offsets(axes), medians, strict=True):
            own = [
                e
                for e in comparison.entries
                if e.label == label and e.group == column.group and e.values["dsc"] is not None
            ]
            np.testing.assert_allclose(points[:, 0], [100 * entry.values["dsc"] for entry in own])
            assert median == pytest.approx(100 * np.median([entry.values["dsc"] for entry in own]))
    assert len(offsets(figure.axes[0])[1]) == 14
    assert "threshold: 1 case without a prediction" in texts(figure)[-1].replace("\n", " ")


def test_few_cases_have_points_and_no_box(make):
    figure = FIGURES["dsc-by-size"].draw(make(2, count=20))
    assert all(not axes.patches and len(axes.collections) == 2 for axes in figure.axes)


def test_paired_differences_are_those_of_the_pairs(make):
    comparison = make(4, missing=[(0, 2), (2, 7)])
    (axes,) = FIGURES["paired-differences"].draw(comparison).axes
    pairs = comparison.statistics.family("overall-dsc").pairs
    bars = [line for line in axes.get_lines() if line.get_linewidth() == 2.2]
    marks = [line for line in axes.get_lines() if line.get_marker() == "|"]
    assert [line.get_xdata()[0] for line in axes.get_lines() if list(line.get_xdata()) == [0, 0]] == [0]
    for pair, points, bar, mark in zip(pairs, offsets(axes), bars, marks, strict=True):
        assert len(points) == pair.n
        assert points[:, 0].mean() == pytest.approx(100 * pair.mean_difference)
        assert list(bar.get_xdata()) == [100 * pair.bca_interval.low, 100 * pair.bca_interval.high]
        assert mark.get_xdata()[0] == 100 * pair.mean_difference
        assert any(text.get_text().endswith(f"{pair.wins} / {pair.ties} / {pair.losses}") for text in axes.texts)
    assert [pair.n for pair in pairs] == [74, 73, 74]


def test_critical_difference_is_a_bar_of_its_length(make):
    comparison = make(5)
    figure = FIGURES["critical-difference"].draw(comparison)
    for axes, friedman in zip(figure.axes, comparison.statistics.friedman, strict=True):
        (bar,) = lines(axes, "cd")
        assert np.ptp(bar.get_xdata()) == pytest.approx(friedman.critical_difference)
        for line, clique in zip(lines(axes, "clique"), friedman.cliques, strict=True):
            ranks = [friedman.mean_ranks[label] for label in clique]
            low, high = line.get_xdata()
            assert low < min(ranks) < max(ranks) < high
            assert high - low < max(ranks) - min(ranks) + 0.2
        marked = sorted(line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() in MARKERS)
        np.testing.assert_allclose(marked, sorted(friedman.mean_ranks.values()))


def test_discs_are_shares_of_the_bootstraps(make):
    comparison = make(4)
    figure = FIGURES["ranking-stability"].draw(comparison)
    for axes, ranking in zip(figure.axes, comparison.statistics.rankings, strict=True):
        for label, discs in zip(comparison.labels, axes.collections, strict=True):
            sizes = discs.get_sizes()
            np.testing.assert_allclose(sizes / sizes.sum(), np.array(ranking.counts[label]) / ranking.bootstraps)
    assert "60 %" not in texts(figure)
    assert "40 %" in texts(figure)


def test_agreement_of_volumes_by_hand(make):
    found = agreement([1.0, 2.0, 6.0])
    assert (found.bias, found.n) == (3.0, 3)
    assert found.high - found.bias == pytest.approx(1.96 * np.std([1, 2, 6], ddof=1))
    assert found.low == pytest.approx(6.0 - found.high)
    assert agreement([2.0]).low is None
    comparison = make(2)
    figure = FIGURES["volumes"].draw(comparison)
    for axes, label in zip(figure.axes, comparison.labels, strict=True):
        own = [entry for entry in comparison.entries if entry.label == label]
        drawn = np.concatenate(offsets(axes))
        np.testing.assert_allclose(drawn[:, 0], [entry.tumour_ml for entry in own])
        d = np.array([entry.predicted_ml - entry.tumour_ml for entry in own])
        np.testing.assert_allclose(drawn[:, 1], d)
        (bias,) = lines(axes, "bias")
        assert bias.get_ydata()[0] == pytest.approx(d.mean())
        limits = [line.get_ydata()[0] for line in lines(axes, "limit")]
        np.testing.assert_allclose(limits, [d.mean() - 1.96 * d.std(ddof=1), d.mean() + 1.96 * d.std(ddof=1)])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("paired-differences", {"statistics": None}, "without statistics"),
        ("critical-difference", {"statistics": None}, "without statistics"),
        ("ranking-stability", {"statistics": None}, "without statistics"),
        ("paired-differences", {}, "one method only"),
        ("critical-difference", {}, "fewer than three methods"),
        ("ranking-stability", {}, "one method only"),
        ("dsc-by-size", {"columns": ()}, "--groups"),
        ("volumes", {"entries": ()}, "no method has a predicted volume"),
        ("examples", {}, "no run here"),
        ("sweep", {}, "no two of a method differ"),
    ],
)
def test_what_cannot_be_drawn_says_why(make, name, change, words):
    with pytest.raises(ScoreError, match=words):
        FIGURES[name].draw(make(1, **change))


def test_thirteen_methods_have_styles_of_their_own():
    styles = method_styles([str(i) for i in range(13)])
    assert len({style.marker for style in styles.values()}) == 13
    assert len({style.colour for style in list(styles.values())[:8]}) == 8


def test_the_style_is_put_back(make):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    FIGURES["volumes"].draw(make(1))
    with house_style():
        assert mpl.rcParams["svg.fonttype"] == "none"
        assert isinstance(Line2D([0], [0]).get_linewidth(), float)
    assert dict(mpl.rcParams) == before
