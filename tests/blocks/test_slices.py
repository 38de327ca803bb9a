import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays
from torchvision.transforms.v2.functional import resize as torchvision_resize

from unseg_bench.blocks.slices import (
    brain_slices,
    eight_bit,
    equalise,
    resize,
    to_pictures,
)
from unseg_bench.data.volume import Volume


def ball(shape: tuple[int, int, int] = (23, 31, 17), spacing_mm: tuple[float, float, float] = (1, 1, 2)) -> Volume:
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    brain = x**2 + y**2 + z**2 < 0.9
    image = np.where(brain, np.random.default_rng(0).normal(size=shape), 0).astype(np.float32)
    return Volume("ball", image, brain, spacing_mm, "0123456789abcdef")


def test_pictures_have_rows_of_y_and_columns_of_x() -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    pictures = to_pictures(array)
    assert pictures.shape == (4, 3, 2)
    assert pictures[3, 2, 1] == array[1, 2, 3]


def test_slices_with_too_little_brain_are_left_out() -> None:
    brain = np.zeros((10, 10, 5), dtype=bool)
    brain[:, :, 2] = True
    brain[:3, :3, 3] = True
    brain[0, 0, 4] = True
    assert brain_slices(brain).tolist() == [2, 3, 4]
    assert brain_slices(brain, 0.05).tolist() == [2, 3]
    assert brain_slices(np.zeros((3, 3, 3), dtype=bool)).tolist() == []


def test_slice_scaling_spans_each_slice_and_volume_scaling_keeps_greys_comparable() -> None:
    volume = ball()
    slices = brain_slices(volume.brain)
    own = eight_bit(volume, slices, "slice")
    assert own.dtype == np.uint8
    assert own.shape == (len(slices), 31, 23)
    brain = to_pictures(volume.brain)[slices]
    assert not own[~brain].any()
    assert (own.max(axis=(1, 2)) == 255).all()
    common = eight_bit(volume, slices, "volume").astype(float)
    inside = to_pictures(volume.image)[slices][brain]
    np.testing.assert_allclose(common[brain], np.clip((inside + 2.5) / 7 * 255, 0, 255), atol=0.51)


def test_a_slice_of_one_value_and_an_empty_brain_do_not_fail() -> None:
    flat = Volume("flat", np.ones((4, 5, 2), np.float32), np.ones((4, 5, 2), bool), (1, 1, 1), "00")
    assert not eight_bit(flat, np.array([0, 1])).any()
    empty = Volume("empty", np.zeros((4, 5, 2), np.float32), np.zeros((4, 5, 2), bool), (1, 1, 1), "00")
    assert not eight_bit(empty, np.array([0, 1])).any()


@given(arrays(np.uint8, (13, 9)))
def test_equalise_is_opencvs(picture: np.ndarray) -> None:
    assert np.array_equal(equalise(picture), cv2.equalizeHist(picture))


@pytest.mark.parametrize("size", [(40, 40), (11, 7)])
def test_resize_is_torchvisions(size: tuple[int, int]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 20, 30)).astype(np.uint8)
    expected = torchvision_resize(torch.from_numpy(pictures).float(), list(size), antialias=True)
    torch.testing.assert_close(resize(pictures, size), expected)
