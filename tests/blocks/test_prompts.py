import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unseg_bench.blocks.prompts import (
    Prompt,
    authors_points,
    bounding_box,
    box_prompt,
    dilate_box,
    prompt_of,
)

SHAPE = (20, 30)


def region(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[rows, columns] = True
    return mask


def test_x_is_the_column_and_y_the_row() -> None:
    prompt = box_and_five_points(region(slice(3, 6), slice(10, 25)))
    assert prompt.box == (10, 3, 24, 5)
    assert prompt.points.tolist() == [[17.0, 4.0], [10, 3], [24, 3], [10, 5], [24, 5]]
    assert prompt.labels.tolist() == [1, 0, 0, 0, 0]


def test_the_box_is_around_all_parts() -> None:
    assert bounding_box(region(slice(2, 3), slice(4, 5)) | region(slice(15, 18), slice(20, 29))) == (4, 2, 28, 17)


def box_and_five_points(mask: np.ndarray, dilation_px: int = 0) -> Prompt:
    return prompt_of(mask, mask, kind="both", points="paper", dilation_px=dilation_px)


@given(st.integers(0, 19), st.integers(0, 29), st.integers(0, 40))
def test_a_widened_box_holds_the_region_and_stays_in_the_picture(row: int, column: int, by_px: int) -> None:
    mask = region(slice(row, row + 4), slice(column, column + 3))
    x0, y0, x1, y1 = dilate_box(bounding_box(mask), by_px, SHAPE)
    assert 0 <= x0 <= x1 <= SHAPE[1] - 1
    assert 0 <= y0 <= y1 <= SHAPE[0] - 1
    assert mask[y0 : y1 + 1, x0 : x1 + 1].sum() == mask.sum()
    assert x0 == max(column - by_px, 0)
    assert y1 == min(min(row + 3, 19) + by_px, 19)


def test_widening_moves_corners_too() -> None:
    prompt = box_and_five_points(region(slice(8, 10), slice(12, 20)), dilation_px=2)
    assert prompt.box == (10, 6, 21, 11)
    assert prompt.points[1:].tolist() == [[10, 6], [21, 6], [10, 11], [21, 11]]


def test_an_empty_region_has_no_prompt() -> None:
    with pytest.raises(ValueError, match="empty"):
        box_and_five_points(np.zeros(SHAPE, dtype=bool))
    with pytest.raises(ValueError, match="empty"):
        authors_points(np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE))


def test_authors_points_by_hand() -> None:
    picture = np.zeros(SHAPE)
    mask = region(slice(3, 5), slice(10, 20))
    picture[3, 10:20] = [10, 100, 90, 60, 59.9, 10, 80, 70, 61, 50]  # 60 and more of 0 ... 100: six pixels
    picture[4, 10:20] = [49, 100, 20, 60.5, 0, 0, 99, 0, 0, 75]  # and four
    picture[12] = 1000  # outside the region, does not count
    bright = [(11, 3), (12, 3), (13, 3), (16, 3), (17, 3), (18, 3), (11, 4), (13, 4), (16, 4), (19, 4)]
    expected = [bright[0], bright[9], bright[5], bright[3], bright[6]]
    assert authors_points(mask, picture).tolist() == [list(point) for point in expected]


def test_authors_points_of_an_even_region_are_spread_over_it() -> None:
    mask = region(slice(3, 6), slice(10, 13))
    points = authors_points(mask, np.full(SHAPE, 7, dtype=np.uint8))
    assert points.tolist() == [[10, 3], [12, 5], [11, 4], [10, 4], [10, 5]]


@given(st.integers(0, 2**32 - 1))
def test_authors_points_are_those_of_a_histogram_with_zero_outside_the_region(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture, mask = rng.random(SHAPE).astype(np.float32), rng.random(SHAPE) < rng.uniform(0.01, 0.9)
    mask[4, 7], mask[0, 0] = True, False
    columns, rows = authors_points(mask, picture).astype(int).T
    assert mask[rows, columns].all()
    product = mask * picture
    bright = product >= np.histogram(product, bins=10)[1][-5]
    assert (rows[0], columns[0]) == tuple(np.argwhere(bright)[0])
    assert (rows[1], columns[1]) == tuple(np.argwhere(bright)[-1])
    assert bright[rows, columns].all()


def test_kinds_of_prompts() -> None:
    mask = region(slice(3, 6), slice(10, 25))
    picture = np.zeros(SHAPE, dtype=np.uint8)
    box = prompt_of(mask, picture, kind="box", points="paper", dilation_px=1)
    assert box.box == (9, 2, 25, 6)
    assert box.points.shape == (0, 2)
    assert box.labels.shape == (0,)
    points = prompt_of(mask, picture, kind="points", points="paper", dilation_px=0)
    assert points.box is None
    assert points.labels.tolist() == [1, 0, 0, 0, 0]
    both = prompt_of(mask, picture, kind="both", points="authors-code", dilation_px=10)
    assert both.box == (0, 0, 29, 15)
    assert both.labels.tolist() == [1] * 5 + [0] * 4
    assert both.points[5:].tolist() == [[0, 0], [29, 0], [0, 15], [29, 15]]
    assert mask[both.points[:5, 1].astype(int), both.points[:5, 0].astype(int)].all()


def test_prompts_that_say_nothing_or_half_are_refused() -> None:
    nothing, no_labels = np.zeros((0, 2), dtype=np.float32), np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match="a prompt is needed"):
        Prompt(None, nothing, no_labels)
    with pytest.raises(ValueError, match="go together"):
        Prompt(None, np.ones((2, 2), dtype=np.float32), no_labels)
    assert box_prompt((1, 2, 3, 4)).box == (1, 2, 3, 4)
