"""Training patches: pure in (seed, step), image and label turned alike, padded, on tumour as often as asked."""

import numpy as np
import pytest
import torch

from unseg_bench.blocks.patches import PatchSampler, case_order, cut, turn
from unseg_bench.blocks.working_cases import LabelledCase


def make_case(shape=(12, 14, 10), seed=0):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0.5, 1.0, shape).astype(np.float32)
    label = np.zeros(shape, dtype=bool)
    label[1:3, 10:12, 4:6] = True
    image[label] += 1
    image.flags.writeable = label.flags.writeable = False
    return LabelledCase(image, label, np.ones(shape, dtype=bool), (2.0, 2.0, 2.0))


def sampler(**options):
    return PatchSampler(
        **{"cases": [make_case(), make_case(seed=1)], "size": (6, 6, 6), "batch_size": 3, "seed": 5, **options}
    )


@pytest.mark.parametrize("orientation", ["as-is", "left-right", "axial-turns", "sagittal-turns"])
@pytest.mark.parametrize("size", [(6, 6, 6), (16, 16, 8)])
def test_label_goes_with_image(orientation, size):
    images, labels = sampler(orientation=orientation, size=size, foreground_share=0.7)(2)
    assert images.shape == (3, 1, *size)
    assert images.dtype == torch.float32
    assert labels.shape == (3, *size)
    assert labels.dtype == torch.uint8
    assert labels.any()
    assert torch.equal(images[:, 0] > 1, labels.bool())


def test_pure_function_of_seed_and_step():
    options = {"orientation": "axial-turns", "augmentation": "light", "foreground_share": 0.5}
    first, second = sampler(**options), sampler(**options)
    later = first(4)
    first(3)
    assert all(torch.equal(a, b) for a, b in zip(later, second(4), strict=True))
    assert not torch.equal(first(4)[0], first(5)[0])
    assert not torch.equal(first(4)[0], sampler(seed=6, **options)(4)[0])


def test_each_case_once_an_epoch_in_changing_order():
    epochs = [[case_order(3, 7, 7 * epoch + place) for place in range(7)] for epoch in range(4)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_foreground_share():
    def share(wanted):
        labels = torch.cat([sampler(size=(4, 4, 4), foreground_share=wanted)(step)[1] for step in range(40)])
        return labels.flatten(1).any(dim=1).float().mean().item()

    assert share(1.0) == 1.0
    assert share(0.0) < 0.3
    assert 0.4 < share(0.5) < 0.8


def test_foreground_share_without_any_tumour():
    case = make_case()
    healthy = LabelledCase(case.image, np.zeros_like(case.label), case.brain, case.spacing_mm)
    assert not sampler(cases=[healthy], foreground_share=1.0)(0)[1].any()


def test_small_volume_is_padded_on_both_sides():
    images, _ = sampler(size=(20, 20, 20))(0)
    inside = images[:, 0] > 0
    assert inside.flatten(1).sum(dim=1).tolist() == [12 * 14 * 10] * 3
    assert inside[0, 4:16, 3:17, 5:15].all()


def test_cut_reaches_over_every_border():
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4) + 1
    result = cut(array, (-1, 1, 2), (4, 4, 4))
    assert np.array_equal(result[1:3, :2, :2], array[:, 1:, 2:])
    assert (result != 0).sum() == 8


def test_left_right_mirrors_x_only_and_half_of_the_time():
    case = make_case()
    rng = np.random.default_rng(0)
    results = [turn(case, "left-right", rng).image for _ in range(60)]
    mirrored = sum(np.array_equal(result, case.image[::-1]) for result in results)
    assert 15 < mirrored < 45
    assert mirrored + sum(np.array_equal(result, case.image) for result in results) == 60


def test_axial_turns_keep_slices_in_order():
    case = make_case(shape=(6, 6, 5))
    rng = np.random.default_rng(0)
    results = {turn(case, "axial-turns", rng).image.tobytes() for _ in range(200)}
    expected = {
        np.ascontiguousarray(np.flip(np.rot90(case.image, k, (0, 1)), axis)).tobytes()
        for k in range(4)
        for axis in (0, 1)
    }
    assert results == expected


def test_sagittal_turns_are_those_of_the_authors_arrays_whose_axes_are_z_y_x():
    case = make_case(shape=(5, 6, 6))
    rng = np.random.default_rng(0)
    results = {turn(case, "sagittal-turns", rng).image.tobytes() for _ in range(200)}
    theirs = case.image.transpose(2, 1, 0)
    turned = [np.flip(np.rot90(theirs, k), axis) for k in range(4) for axis in (0, 1)]
    assert results == {np.ascontiguousarray(one.transpose(2, 1, 0)).tobytes() for one in turned}
