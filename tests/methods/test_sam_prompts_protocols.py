"""The protocols of sam-prompts: prompts by hand on small regions."""

import numpy as np
import pytest
from unseg_bench_methods.sam_prompts.protocols import (
    components,
    deepest,
    make_prompts,
    shift_sides,
    three_inside,
)

MM = (1.0, 1.0)


def chance(seed=0):
    return np.random.default_rng(seed)


def picture(*boxes, shape=(40, 50)):
    region = np.zeros(shape, dtype=bool)
    for x0, y0, x1, y1 in boxes:
        region[y0 : y1 + 1, x0 : x1 + 1] = True
    return region


def said(prompt):
    """The prompt in plain values: box, and (x, y, label) of each point."""
    points = zip(prompt.points.tolist(), prompt.labels.tolist(), strict=True)
    return prompt.box, [(x, y, label) for (x, y), label in points]


ONE = picture((10, 5, 20, 11))
CORNERS = [(10, 5, 0), (20, 5, 0), (10, 11, 0), (20, 11, 0)]


def test_paper_is_the_box_its_centre_and_its_corners():
    [prompt] = make_prompts("paper", ONE, MM, chance())
    assert said(prompt) == ((10, 5, 20, 11), [(15, 8, 1), *CORNERS])


def test_g1_is_one_tight_box_around_all_pieces():
    [prompt] = make_prompts("G1", picture((10, 5, 20, 11), (30, 20, 34, 30)), MM, chance())
    assert said(prompt) == ((10, 5, 34, 30), [])


def test_g2_is_a_tight_box_around_each_piece_of_ten_pixels():
    region = picture((10, 5, 20, 11), (30, 20, 34, 30), (2, 2, 4, 4), (40, 2, 44, 3))
    prompts = make_prompts("G2", region, MM, chance())
    assert [said(prompt) for prompt in prompts] == [((40, 2, 44, 3), []), ((10, 5, 20, 11), []), ((30, 20, 34, 30), [])]


def test_g4_is_the_deepest_point_of_each_piece_and_no_box():
    prompts = make_prompts("G4", picture((10, 5, 20, 11), (30, 20, 34, 30), (2, 2, 4, 4)), MM, chance())
    assert [said(prompt) for prompt in prompts] == [(None, [(13, 8, 1)]), (None, [(32, 22, 1)])]


def test_g5_is_the_box_three_points_inside_and_the_corners():
    [prompt] = make_prompts("G5", ONE, MM, chance())
    box, points = said(prompt)
    assert box == (10, 5, 20, 11)
    assert [label for _, _, label in points] == [1, 1, 1, 0, 0, 0, 0]
    assert points[3:] == CORNERS
    # The box is 11 wide: thirds of its 77 pixels end in columns 13 and 17; rows 8 are its middle.
    assert [(x, y) for x, y, _ in points[:3]] == [(13, 8), (14, 8), (17, 8)]


def test_three_points_follow_the_longer_side_and_stay_inside():
    rng = chance(3)
    for _ in range(20):
        region = rng.random((12, 9)) < 0.2
        points = three_inside(region)
        assert len(points) == min(3, region.sum())
        assert all(region[y, x] for x, y in points)
    assert [y for _, y in three_inside(picture((7, 3, 9, 29)))] == [4, 12, 21]
    assert three_inside(picture((7, 3, 7, 3))) == [(7, 3)]


def test_pieces_that_touch_at_a_corner_are_one():
    touching = picture((0, 0, 3, 3), (4, 4, 7, 7))
    [whole] = components(touching, MM)
    np.testing.assert_array_equal(whole, touching)
    assert len(components(picture((0, 0, 3, 3), (5, 5, 8, 8)), MM)) == 2


@pytest.mark.parametrize(("pixel_mm", "kept"), [((1.0, 1.0), 0), ((2.0, 2.0), 1), ((1.5, 1.0), 0), ((1.6, 1.0), 0)])
def test_least_area_of_a_piece_is_in_square_millimetres(pixel_mm, kept):
    assert len(components(picture((3, 3, 5, 4)), pixel_mm)) == kept


def test_a_slice_of_specks_has_no_prompt_by_piece_but_a_box():
    speck = picture((3, 3, 5, 5))
    assert make_prompts("G2", speck, MM, chance()) == []
    assert make_prompts("G4", speck, MM, chance()) == []
    assert len(make_prompts("G1", speck, MM, chance())) == 1


def test_deepest_point_counts_the_pictures_edge_as_outside():
    assert deepest(picture((0, 0, 6, 6))) == (3, 3)


def test_g3_shifts_each_side_by_its_own_amount_of_at_most_ten_millimetres():
    boxes = np.array([shift_sides((60, 70, 140, 130), (200, 220), MM, chance(seed)) for seed in range(400)])
    shifts = boxes - [60, 70, 140, 130]
    assert shifts.min() == -10
    assert shifts.max() == 10
    assert np.abs(shifts.mean(axis=0)).max() < 1.0
    assert np.abs(np.corrcoef(shifts.T) - np.eye(4)).max() < 0.2
    np.testing.assert_allclose(shifts.std(axis=0), 20 / np.sqrt(12), rtol=0.1)


def test_g3_shifts_by_fewer_pixels_where_pixels_are_larger():
    boxes = np.array([shift_sides((60, 70, 140, 130), (200, 220), (2.0, 5.0), chance(seed)) for seed in range(400)])
    assert np.abs(boxes - [60, 70, 140, 130]).max(axis=0).tolist() == [5, 2, 5, 2]


def test_g3_is_the_same_for_the_same_seed_and_stays_in_the_picture():
    draws = [said(make_prompts("G3", ONE, MM, chance(seed))[0]) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    small = picture((0, 0, 4, 3), shape=(6, 8))
    for seed in range(200):
        [prompt] = make_prompts("G3", small, MM, chance(seed))
        x0, y0, x1, y1 = prompt.box
        assert 0 <= x0 <= x1 <= 7
        assert 0 <= y0 <= y1 <= 5
