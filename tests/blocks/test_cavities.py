"""Dark insides: what a slice encloses, and cavities that have no mirror image."""

import numpy as np
import pytest

from unseg_bench.blocks.asymmetry import Sides
from unseg_bench.blocks.cavities import fill_slices, join_cavities

SHAPE = (40, 40, 40)
MM = 2.5
BRAIN = np.ones(SHAPE, bool)


def ball(radius, centre=(12, 20, 20)):
    return sum((axis - c) ** 2 for axis, c in zip(np.indices(SHAPE), centre, strict=True)) < radius**2


def sides_of(image):
    return Sides(image, image - image[::-1], BRAIN)


def hollow_tumour():
    """A shell with an opening, its dark inside, and the image."""
    inside, outer = ball(5), ball(8)
    open_side = np.zeros(SHAPE, bool)
    open_side[:, :, 23:] = True
    shell = outer & ~inside & ~open_side
    image = np.zeros(SHAPE, np.float32)
    image[inside], image[shell] = -2, 2
    return shell, inside, image


def test_a_cavity_that_the_tumour_surrounds_joins_it():
    shell, inside, image = hollow_tumour()
    joined = join_cavities(shell, BRAIN, sides_of(image), MM)
    assert joined[inside].mean() > 0.95
    assert (joined & shell).sum() == shell.sum()
    assert not joined[20:].any()


def test_a_ventricle_has_a_mirror_image_and_does_not_join():
    shell, inside, image = hollow_tumour()
    image[inside[::-1]] = -2
    assert join_cavities(shell, BRAIN, sides_of(image), MM) is shell


@pytest.mark.parametrize("centre", [(12, 20, 38), (30, 20, 20)])
def test_a_dark_part_elsewhere_does_not_join(centre):
    shell, _, _ = hollow_tumour()
    image = np.where(ball(4, centre), np.float32(-2), np.where(shell, np.float32(2), np.float32(0)))
    assert join_cavities(shell, BRAIN, sides_of(image), MM) is shell


def test_a_cavity_larger_than_the_tumour_does_not_join():
    image = np.where(ball(9), np.float32(-2), np.float32(0))
    rim = ball(10) & ~ball(9)
    rim[:, :, ::2] = False
    small = rim & (np.indices(SHAPE)[1] % 3 == 0)
    assert join_cavities(small, BRAIN, sides_of(image), MM) is small


def test_what_any_slice_encloses_is_filled():
    mask = np.zeros((7, 7, 7), bool)
    mask[1:6, 1:6, 2:5] = True
    mask[3, 3, :] = False  # a channel through it: open in 3D, enclosed in axial slices
    filled = fill_slices(mask)
    assert filled[3, 3, 2:5].all()
    assert not filled[3, 3, [0, 1, 5, 6]].any()
    assert filled.sum() == mask.sum() + 3
    assert not fill_slices(np.zeros((3, 3, 3), bool)).any()
