"""What rows are called where one method stands in several of them."""

import pytest

from unseg_bench.compare.labels import Variant, label_all


def variant(method="clisc", preset="demo", digest="a1", *, elsewhere=False, **options):
    return Variant(
        method, preset, {name.replace("_", "."): value for name, value in options.items()}, digest, elsewhere
    )


DEMO = variant(digest="a1", amda_alpha=5.0, cam_top=0.3, seeds=[1, 2])


@pytest.mark.parametrize(
    ("others", "labels"),
    [
        ([], ["clisc"]),
        ([variant("sam", "paper", "b2")], ["clisc", "sam"]),
        ([variant(preset="paper", digest="b2", amda_alpha=10.0)], ["clisc demo", "clisc paper"]),
        (
            [variant(digest="b2", amda_alpha=10.0, cam_top=0.3, seeds=[1, 2])],
            ["clisc amda.alpha=5.0", "clisc amda.alpha=10.0"],
        ),
        (
            [variant(digest="b2", amda_alpha=10.0, cam_top=0.5, seeds=[1, 2])],
            ["clisc cam.top=0.3, amda.alpha=5.0", "clisc cam.top=0.5, amda.alpha=10.0"],
        ),
        (
            [variant(digest="b2", amda_alpha=10.0, cam_top=0.5, seeds=[3])],
            ["clisc cam.top=0.3, seeds=[1, 2], 1 more option", "clisc seeds=[3], cam.top=0.5, 1 more option"],
        ),
        (
            [variant(digest="b2", amda_alpha=5.0, cam_top=0.5, seeds=[1, 2]), variant(preset="paper", digest="c3")],
            ["clisc demo, cam.top=0.3", "clisc demo, cam.top=0.5", "clisc paper"],
        ),
        ([variant(digest="b2", amda_alpha=5.0, cam_top=0.3, seeds=[1, 2])], ["clisc (a1)", "clisc (b2)"]),
        ([variant(preset="", digest="b2", elsewhere=True)], ["clisc", "clisc made elsewhere"]),
        ([variant("mynet", "", "b2", elsewhere=True)], ["clisc", "mynet"]),
    ],
)
def test_the_label_says_what_differs(others, labels):
    assert label_all([DEMO, *others]) == labels


def test_long_options_are_cut_and_still_told_apart():
    captions = [f"an image of brain tissue with a tumour, number {i}" for i in range(2)]
    found = label_all([variant(digest=f"d{i}", text=caption) for i, caption in enumerate(captions)])
    assert found == [f"clisc text=an image of brain tissue with a ... (d{i})" for i in range(2)]


def test_a_label_that_looks_like_another_method():
    found = label_all([variant(), variant(preset="paper", digest="b2"), variant("clisc demo", "", "c3")])
    assert found == ["clisc demo (a1)", "clisc paper", "clisc demo (c3)"]
