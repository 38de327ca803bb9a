"""Scales: what is learned adds up on the shared one, and errors rank cases the right way round whatever was learned."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from unseg_bench_methods.sim2real.layers import (
    Outputs,
    learned_layers,
    moments,
    network_input,
    on_shared_scale,
    recomposition_error,
    residual,
)

from unseg_bench.blocks.overlap import dice


def worse_masks(sample, rng):
    """The true mask and what networks make of it: half lost, most lost, something found elsewhere, nothing found."""
    z = np.cumsum(sample.mask.any((0, 1))) / sample.mask.any((0, 1)).sum()
    blob = np.roll(sample.mask, 4, axis=int(rng.integers(3))) & sample.brain
    true = sample.mask
    return [true, true & (z < 0.5), true & (z < 0.2), true | blob, blob, np.zeros_like(true)]


def outputs_of(sample, mask, scale):
    """Layers as perfect as their scale allows, with another mask."""
    normal, tumour = learned_layers(sample, scale)
    return Outputs(normal, tumour, mask.astype(np.float32))


def naive_error(outputs, sample, scale="separate"):
    """The authors' error: what the network learned, put together as it is and compared with the z-scored input."""
    recomposed = outputs.probability * outputs.tumour_values + (1 - outputs.probability) * outputs.normal_values
    return np.abs(recomposed - network_input(sample.mixed, sample.brain, scale))[sample.brain].mean()


def true_error(outputs, sample, scale="separate"):
    """What verification takes."""
    layers = on_shared_scale(outputs, sample.mixed, sample.brain, scale)
    return recomposition_error(layers, sample.mixed, sample.brain)


def found_or_missed(samples, scale, error):
    """Correlation of error and Dice where a network finds the larger half of the tumours and misses the others."""
    median = np.median([sample.mask.sum() for sample in samples])
    pairs = []
    for sample in samples:
        mask = sample.mask if sample.mask.sum() > median else np.zeros_like(sample.mask)
        pairs.append((error(outputs_of(sample, mask, scale), sample, scale), dice(mask, sample.mask, empty=1.0)))
    return spearmanr(*zip(*pairs, strict=True)).statistic


def rank(samples, scale, error):
    """Correlation of error and Dice over all samples and masks."""
    rng = np.random.default_rng(0)
    pairs = [
        (error(outputs_of(sample, mask, scale), sample, scale), dice(mask, sample.mask, empty=1.0))
        for sample in samples
        for mask in worse_masks(sample, rng)
    ]
    return spearmanr(*zip(*pairs, strict=True)).statistic


@pytest.mark.parametrize("scale", ["shared", "separate"])
def test_a_lower_error_means_a_better_mask(samples, scale):
    assert rank(samples, scale, true_error) < -0.5
    assert found_or_missed(samples, scale, true_error) < -0.8
    for sample in samples:
        none = true_error(outputs_of(sample, np.zeros_like(sample.mask), scale), sample, scale)
        assert true_error(outputs_of(sample, sample.mask, scale), sample, scale) < none


def test_separate_layers_put_together_as_they_are_rank_the_wrong_way(samples):
    assert found_or_missed(samples, "separate", naive_error) > 0
    assert found_or_missed(samples, "shared", naive_error) < -0.8


def test_learned_values_have_no_error(samples):
    outputs = outputs_of(samples[0], samples[0].mask, "separate")
    with pytest.raises(AttributeError):
        recomposition_error(outputs, samples[0].mixed, samples[0].brain)


def test_on_the_shared_scale_layers_add_up_to_the_input_and_lead_back(samples):
    for sample in samples:
        normal, tumour = learned_layers(sample, "shared")
        mask = sample.mask.astype(np.float32)
        np.testing.assert_allclose(
            mask * tumour + (1 - mask) * normal, network_input(sample.mixed, sample.brain, "shared"), atol=1e-5
        )
        layers = on_shared_scale(outputs_of(sample, sample.mask, "shared"), sample.mixed, sample.brain, "shared")
        np.testing.assert_allclose(layers.normal[sample.brain], sample.normal[sample.brain], atol=1e-5)
        np.testing.assert_allclose(layers.tumour[sample.mask], sample.tumour[sample.mask], atol=1e-5)
        assert not normal[~sample.brain].any()
        assert not tumour[~sample.mask].any()
        assert recomposition_error(layers, sample.mixed, sample.brain) < 1e-5


def test_separate_layers_are_z_scores_of_their_own(samples):
    for sample in samples:
        normal, tumour = learned_layers(sample, "separate")
        for values, places in ((normal, sample.brain), (tumour, sample.mask)):
            assert np.mean(values[places]) == pytest.approx(0, abs=1e-4)
            assert np.std(values[places]) == pytest.approx(1, abs=1e-4)
        own = moments(sample.tumour, sample.mask)
        np.testing.assert_allclose(tumour[~sample.mask], -own.mean / own.deviation, rtol=1e-5)


def test_separate_layers_are_brought_back_by_the_input(samples):
    for sample in samples:
        layers = on_shared_scale(outputs_of(sample, sample.mask, "separate"), sample.mixed, sample.brain, "separate")
        np.testing.assert_allclose(layers.normal[sample.brain], sample.normal[sample.brain], atol=2e-3)
        np.testing.assert_allclose(layers.tumour[sample.mask], sample.tumour[sample.mask], atol=2e-3)


def test_a_layer_that_says_the_opposite_is_not_turned_round(samples):
    sample = samples[0]
    normal, tumour = learned_layers(sample, "separate")
    outputs = Outputs(-normal, tumour, sample.mask.astype(np.float32))
    layers = on_shared_scale(outputs, sample.mixed, sample.brain, "separate")
    assert np.ptp(layers.normal) == 0


def test_the_residual_is_what_was_added_and_nothing_outside_the_brain(samples):
    for sample in samples:
        layers = on_shared_scale(outputs_of(sample, sample.mask, "shared"), sample.mixed, sample.brain, "shared")
        left = residual(layers, sample.mixed, sample.brain) * moments(sample.mixed, sample.brain).deviation
        np.testing.assert_allclose(left, np.where(sample.brain, sample.mixed - sample.normal, 0), atol=1e-5)
        assert not left[~sample.brain].any()


def test_places_without_voxels_have_moments_that_change_nothing():
    image = np.array([[[3.0, 5.0]]], np.float32)
    assert np.array_equal(moments(image, np.zeros((1, 1, 2), bool)).normalise(image), image)
