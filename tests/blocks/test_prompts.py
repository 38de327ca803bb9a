import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unseg_bench.blocks.prompts import bounding_box, box_and_five_points, dilate_box

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
