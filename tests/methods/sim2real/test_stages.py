"""Stage II by networks that are easy to see through: what is labelled, kept and learned, and what ends in an error."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from unseg_bench_methods.sim2real import stage_two
from unseg_bench_methods.sim2real.apart import answers, take_apart
from unseg_bench_methods.sim2real.layers import Layers, Outputs, learned_layers, moments
from unseg_bench_methods.sim2real.network import MASK, NORMAL, TUMOUR
from unseg_bench_methods.sim2real.options import AnswerOptions, NetworkOptions
from unseg_bench_methods.sim2real.stage_two import LabellingOptions, Verified, change, pseudo_label, read_verified
from unseg_bench_methods.sim2real.volumes import Brain, stretch

from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact
from unseg_bench.plugins.stage import Work
from unseg_bench.plugins.trial import tiny_case

ALL = np.ones(24, bool)


class Says(torch.nn.Module):
    """A network that gives these outputs (3, X, Y, Z), whatever it is asked."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = torch.nn.Parameter(torch.from_numpy(np.asarray(outputs, np.float32)))

    def forward(self, images):
        return self.outputs.expand(len(images), *self.outputs.shape)


def brain_of(sample):
    return Brain(sample.mixed, sample.brain, (5.0, 6.0, 5.0), ALL)


def right_layers(sample, mask):
    return Layers(sample.normal, sample.tumour, mask.astype(np.float32))


def test_channels_are_normal_image_tumour_layer_and_mask(samples):
    sample = samples[0]
    normal, tumour = learned_layers(sample, "shared")
    network = Says(np.stack([normal, tumour, np.where(sample.mask, 30, -30)]))
    outputs = take_apart(network, brain_of(sample), "shared", mirror=False)
    assert (NORMAL, TUMOUR, MASK) == (0, 1, 2)
    assert np.array_equal(outputs.normal_values, normal)
    assert np.array_equal(outputs.tumour_values, tumour)
    assert np.array_equal(outputs.probability > 0.5, sample.mask)


def test_a_mirrored_view_is_turned_back(samples):
    class Bright(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(()))

        def forward(self, images):
            return torch.cat([images, images, 100 * (images - 2)], dim=1) * self.one

    one = brain_of(samples[0])
    plain, both = (take_apart(Bright(), one, "shared", mirror=mirror) for mirror in (False, True))
    np.testing.assert_allclose(both.probability, plain.probability, atol=1e-6)
    np.testing.assert_allclose(both.normal_values, plain.normal_values, atol=1e-6)


def test_both_answers_lie_inside_the_brain_and_the_layer_answers_on_its_own_scale_alone():
    volume = tiny_case("case", 3).volume
    shape = (24, 24, 24)
    outputs = Outputs(np.zeros(shape, np.float32), np.ones(shape, np.float32), np.full(shape, 0.4, np.float32))
    found = answers(outputs, volume, AnswerOptions(), "separate")
    assert not found["mask"].any()
    assert np.array_equal(found["tumour-layer"], volume.brain)
    assert list(answers(outputs, volume, AnswerOptions(), "shared")) == ["mask"]


def test_a_pseudo_label_is_where_mask_and_bright_residual_agree(samples):
    for sample in samples:
        one = brain_of(sample)
        stray = sample.brain & ~sample.mask & (np.indices(sample.mask.shape).sum(0) % 5 == 0)
        label = pseudo_label(right_layers(sample, sample.mask | stray), one, keep_share=0.0)
        assert not (label & stray).any()
        assert not (label & ~sample.mask).any()
        # The residual alone: its stray parts vanish where the mask does not lie.
        half = sample.mask & (np.arange(24) < 12)
        assert not (pseudo_label(right_layers(sample, half), one, 0.0) & ~half).any()
    assert not pseudo_label(right_layers(samples[0], np.zeros_like(samples[0].mask)), brain_of(samples[0]), 0.0).any()


def test_small_pieces_of_a_pseudo_label_are_dropped(samples):
    sample = max(samples, key=lambda one: one.mask.sum())
    image, mask = sample.normal.copy(), np.zeros_like(sample.mask)
    mask[8:14, 8:14, 8:14] = mask[17:19, 12:14, 12:14] = True
    image[mask] += 10
    one = Brain(image, sample.brain, (5.0, 6.0, 5.0), ALL)
    layers = Layers(sample.normal, image, mask.astype(np.float32))
    assert pseudo_label(layers, one, 0.0).sum() == (mask & sample.brain).sum()
    assert not pseudo_label(layers, one, 1 / 3)[16:].any()


def test_the_lowest_errors_are_kept_and_no_case_without_a_label():
    found = Verified({"a": 0.3, "b": 0.1, "c": 0.2, "d": 0.4}, {"a": 5, "b": 0, "c": 5, "d": 5})
    assert found.kept(0.5) == ("a", "c")
    assert found.kept(0.25) == ("c",)
    assert found.kept(0.01) == ("c",)
    assert found.kept(1.0) == ("a", "c", "d")


def work_in(folder):
    for name in ("result", "scratch"):
        (folder / name).mkdir(parents=True)
    return Work(folder / "result", folder / "scratch", 1, "cpu", lambda *_: None)


def labelled(folder, samples, monkeypatch, outputs_of, keep_share=0.0):
    """Run the labelling on samples as cases, each by the network that `outputs_of` gives of it."""

    class Cases:
        case_ids = tuple(map(str, range(len(samples))))

        def __init__(self, _):
            pass

        def __len__(self):
            return len(samples)

        def of(self, case_id):
            turn.append(int(case_id))
            return brain_of(samples[int(case_id)])

    class Each(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(()))

        def forward(self, images):
            return torch.from_numpy(outputs_of(samples[turn[-1]])).float()[None] * self.one

    turn = []
    monkeypatch.setattr(stage_two, "Brains", Cases)
    monkeypatch.setattr(stage_two, "read_network", lambda *_: Each())
    work = work_in(folder)
    options = LabellingOptions(network=NetworkOptions(), scale="shared", mirror=False, keep_share=keep_share)
    nothing = Artifact("none", folder, "none")
    stage_two.label_cases.function(work, options, brains=nothing, network=nothing)
    return Artifact("labels", work.folder, "labels")


def outputs_with(sample, mask):
    return np.stack([*learned_layers(sample, "shared"), np.where(mask, 30, -30)])


def test_labelling_writes_errors_that_say_which_masks_are_right(tmp_path, samples, monkeypatch):
    missed = {id(sample) for sample in samples[::2]}

    def outputs_of(sample):
        half = sample.mask & (np.cumsum(sample.mask).reshape(sample.mask.shape) < sample.mask.sum() / 3)
        return outputs_with(sample, half if id(sample) in missed else sample.mask)

    found = read_verified(labelled(tmp_path, samples, monkeypatch, outputs_of))
    assert set(found.kept(0.5)) == {str(number) for number in range(1, len(samples), 2)}


def test_no_tumour_at_all_ends_with_the_stage_named(tmp_path, samples, monkeypatch):
    with pytest.raises(RunError, match=r"stage 'sim2real-pseudo-labels': the network finds no tumour in any of 12"):
        labelled(tmp_path / "a", samples, monkeypatch, lambda s: outputs_with(s, np.zeros_like(s.mask)))
    with pytest.raises(RunError, match="agree nowhere"):
        labelled(tmp_path / "b", samples, monkeypatch, lambda s: outputs_with(s, s.brain & (s.mixed == s.normal)))


def test_change_is_one_minus_dice_of_the_masks(tmp_path, samples, monkeypatch):
    before = labelled(tmp_path / "a", samples, monkeypatch, lambda s: outputs_with(s, s.mask))
    half = labelled(tmp_path / "b", samples, monkeypatch, lambda s: outputs_with(s, s.mask & (np.arange(24) < 12)))
    assert change(before, before) == 0
    dice = [2 * part / (part + s.mask.sum()) for s in samples if (part := s.mask[:, :, :12].sum()) or True]
    assert change(before, half) == pytest.approx(1 - np.mean(dice))


def test_intensities_do_not_matter_for_what_is_labelled(samples):
    sample = samples[1]
    brighter = replace(sample, mixed=3 * sample.mixed, normal=3 * sample.normal, tumour=3 * sample.tumour)
    one, other = (pseudo_label(right_layers(s, s.mask), brain_of(s), 0.0) for s in (sample, brighter))
    assert np.mean(one == other) > 0.999
    assert moments(brighter.mixed, brighter.brain).deviation > 2


def test_adaptation_ends_where_nothing_is_found_any_more(samples):
    class Cases:
        def of(self, _):
            return brain_of(samples[0])

    options = stage_two.StageTwoOptions.model_construct(training=stage_two.TrainingOptions(), number=2)
    found = Says(outputs_with(samples[0], samples[0].mask))
    stage_two._require_tumour(found, Cases(), ("a",), options)
    with pytest.raises(RunError, match="stage 'sim2real-stage-2', round 2"):
        stage_two._require_tumour(
            Says(outputs_with(samples[0], np.zeros_like(samples[0].mask))), Cases(), ("a",), options
        )


def test_a_volume_is_stretched_the_same_way_for_learning_and_for_answering(samples):
    volume = tiny_case("case", 3).volume
    assert np.array_equal(stretch(volume, (24, 24, 24)).image, stretch(volume, (24, 24, 24), np.ones(29, bool)).image)
