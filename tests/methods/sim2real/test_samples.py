"""Samples: masks inside the brain, layers that add up, normal slices alone where only some are known to be normal."""

from dataclasses import replace

import numpy as np
from unseg_bench_methods.sim2real.batches import SimulatedBatches
from unseg_bench_methods.sim2real.options import SimulationOptions
from unseg_bench_methods.sim2real.samples import Mixing
from unseg_bench_methods.sim2real.volumes import back, stretch

from unseg_bench.plugins.trial import tiny_case


def test_layers_add_up_before_any_normalisation(samples):
    for sample in samples:
        mask = sample.mask.astype(np.float32)
        np.testing.assert_allclose(mask * sample.tumour + (1 - mask) * sample.normal, sample.mixed, atol=1e-6)
        assert sample.mask.any()
        assert not (sample.mask & ~sample.brain).any()
        assert not sample.tumour[~sample.mask].any()


def test_a_sample_depends_on_the_generator_alone(mixing):
    one, same, other = (mixing.draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one.mixed, same.mixed)
    assert not np.array_equal(one.mask, other.mask)


def test_where_some_slices_are_normal_tumours_lie_in_them_and_only_they_count(brains):
    some = np.arange(24) // 6 % 2 == 0
    partly = [replace(one, normal=some) for one in brains]
    source = Mixing(partly, brains, SimulationOptions())
    for seed in range(8):
        sample = source.draw(np.random.default_rng(seed))
        assert sample.mask.any()
        assert not sample.mask[:, :, ~some].any()
        assert np.array_equal(sample.mixed[:, :, ~some], sample.normal[:, :, ~some])
        assert np.array_equal(sample.counted, some)


def test_normal_and_donor_are_drawn_independently(brains):
    class Spy:
        def __init__(self):
            self.asked = []

        def __len__(self):
            return len(brains)

        def __getitem__(self, number):
            self.asked.append(number)
            return brains[number]

    normals, donors = Spy(), Spy()
    for seed in range(40):
        Mixing(normals, donors, SimulationOptions()).draw(np.random.default_rng(seed))
    assert set(normals.asked) == set(donors.asked) == {0, 1, 2, 3}
    assert 0.5 < np.mean(np.array(normals.asked) != donors.asked) < 0.95


def test_whole_numbers_round_towards_zero_at_a_hundredth_of_a_deviation(brains):
    sample = Mixing(brains, brains, SimulationOptions(whole_numbers=True)).draw(np.random.default_rng(0))
    steps = sample.normal * 100
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert any(np.abs(sample.normal - one.image).max() < 0.0101 for one in brains)


def test_batches_are_functions_of_seed_and_step(mixing):
    batches = SimulatedBatches(mixing, 2, seed=5, scale="shared")
    images, layers, mask, counted = batches(7)
    assert images.shape == (2, 1, 24, 24, 24)
    assert layers.shape == (2, 2, 24, 24, 24)
    assert mask.shape == (2, 24, 24, 24)
    assert counted.shape == (2, 1, 1, 24)
    assert all(a.equal(b) for a, b in zip(batches(7), (images, layers, mask, counted), strict=True))
    assert not SimulatedBatches(mixing, 2, seed=6, scale="shared")(7)[0].equal(images)
    assert not batches(8)[0].equal(images)
    combined = mask * layers[:, 1] + (1 - mask) * layers[:, 0]
    np.testing.assert_allclose(combined, images[:, 0], atol=1e-5)


def test_a_stretched_volume_keeps_its_extent_in_mm_and_its_place():
    volume = tiny_case("odd", 7, shape=(40, 23, 11), spacing_mm=(3.0, 5.0, 9.0)).volume
    one = stretch(volume, (16, 32, 24), np.arange(11) < 4)
    assert np.allclose(np.array(one.spacing_mm) * one.image.shape, [120, 115, 99])
    assert np.count_nonzero(one.normal) == 9
    assert one.image[one.brain].min() > -2
    assert not one.image[~one.brain].any()
    again = back(one.brain.astype(np.float32), volume, "linear") > 0.5
    assert np.mean(again == volume.brain) > 0.93
