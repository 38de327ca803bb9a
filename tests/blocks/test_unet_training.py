"""The U-Net stage: learns, repeats itself bit for bit, segments on the volume's grid, says what is wrong."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unseg_bench.blocks.training import save_network
from unseg_bench.blocks.unet.options import UNetInference, UNetOptions
from unseg_bench.blocks.unet.training import build_unet, load_unet, predict_unet, segment_unet, train_unet
from unseg_bench.blocks.working_cases import LabelledCase
from unseg_bench.data.volume import Volume
from unseg_bench.errors import RunError

TINY = UNetOptions(
    spacing_mm=4.0,
    channels=(4, 8),
    dropout=0.2,
    foreground_prior=0.1,
    patch=(16, 16, 16),
    steps=30,
    loss="dice-ce",
    optimizer="adam",
    learning_rate=0.02,
    schedule="one-cycle",
    foreground_share=0.5,
)


class KilledError(Exception):
    pass


NNUNET_LIKE = UNetOptions(
    spacing_mm=4.0,
    network="dynunet",
    channels=(4, 8, 8, 8),
    deep_supervision=True,
    norm="instance",
    dropout=0.1,
    patch=(16, 16, 16),
    steps=8,
    loss="dice-ce",
    momentum=0.99,
    nesterov=True,
    orientation="all-mirrors",
    augmentation="strong",
    foreground_share=0.5,
)


@dataclass
class FakeWork:
    scratch: Path
    killed_at: int | None = None
    seed: int = 3
    device: str = "cpu"

    def progress(self, done, total, note=""):
        if done == self.killed_at:
            raise KilledError


def make_case(seed, spacing_mm=(2.0, 2.0, 3.0)):
    rng = np.random.default_rng(seed)
    shape = (36, 40, 27)
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    centre = rng.uniform(12, 17, 3)
    label = sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)) < 64
    brain = np.zeros(shape, dtype=bool)
    brain[2:-2, 2:-2, 2:-2] = True
    image = np.where(brain, rng.normal(0, 0.5, shape) + 2 * label, 0).astype(np.float32)
    image.flags.writeable = brain.flags.writeable = label.flags.writeable = False
    return LabelledCase(image, label, brain, spacing_mm)


def as_volume(case):
    return Volume("case", case.image, case.brain, case.spacing_mm, "digest")


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_unet(FakeWork(tmp_path_factory.mktemp("undisturbed")), TINY, [make_case(1), make_case(2)])


@pytest.mark.parametrize("way", ["sliding", "whole"])
@pytest.mark.parametrize("mirror", ["none", "left-right"])
def test_finds_a_bright_ball_that_it_has_not_seen(trained, way, mirror):
    case = make_case(3)
    mask = segment_unet(trained[0], TINY, UNetInference(way=way, mirror=mirror), as_volume(case))
    assert mask.dtype == bool
    assert mask.shape == case.image.shape
    assert dice(mask, case.label) > 0.8
    assert not (mask & ~case.brain).any()


def test_killed_training_ends_with_the_same_bits(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("unseg_bench.blocks.training.time.monotonic", iter(range(0, 10**6, 100)).__next__)
    for killed_at in (3, 17):
        with pytest.raises(KilledError):
            train_unet(FakeWork(tmp_path, killed_at), TINY, [make_case(1), make_case(2)])
    resumed, log = train_unet(FakeWork(tmp_path), TINY, [make_case(1), make_case(2)])
    assert log.losses == trained[1].losses
    assert all(
        torch.equal(a, b) for a, b in zip(resumed.state_dict().values(), trained[0].state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("options", [NNUNET_LIKE, NNUNET_LIKE.model_copy(update={"keep": "best-validation-dice"})])
def test_killed_training_of_nnunets_kind_ends_with_the_same_bits(tmp_path, monkeypatch, options):
    options = options.model_copy(update={"validate_every": 3})
    cases, validation = [make_case(1), make_case(2)], [make_case(3)]
    expected, log = train_unet(FakeWork(tmp_path / "undisturbed"), options, cases, validation=validation)
    monkeypatch.setattr("unseg_bench.blocks.training.time.monotonic", iter(range(0, 10**6, 100)).__next__)
    for killed_at in (3, 7):
        with pytest.raises(KilledError):
            train_unet(FakeWork(tmp_path / "killed", killed_at), options, cases, validation=validation)
    resumed, resumed_log = train_unet(FakeWork(tmp_path / "killed"), options, cases, validation=validation)
    assert (resumed_log.losses, resumed_log.scores) == (log.losses, log.scores)
    weights = zip(resumed.state_dict().values(), expected.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert [done for done, _ in log.scores] == ([3, 6, 8] if options.keep != "last" else [])


def test_best_validation_dice_is_that_of_the_network_that_is_kept(tmp_path):
    options = TINY.model_copy(update={"keep": "best-validation-dice", "validate_every": 7, "learning_rate": 0.2})
    case = make_case(3)
    network, log = train_unet(FakeWork(tmp_path), options, [make_case(1), make_case(2)], validation=[case])
    scores = dict(log.scores)
    assert list(scores) == [7, 14, 21, 28, 30]
    assert scores[log.kept_step] == max(scores.values()) > 0.3
    assert dice(segment_unet(network, options, UNetInference(), as_volume(case)), case.label) == scores[log.kept_step]


def test_best_validation_dice_needs_validation_cases(tmp_path):
    options = TINY.model_copy(update={"keep": "best-validation-dice"})
    with pytest.raises(RunError, match="no validation case; give the data set a validation part, or set keep to 'las"):
        train_unet(FakeWork(tmp_path), options, [make_case(1)])


@pytest.mark.parametrize("mirror", ["none", "all-axes"])
def test_saved_network_predicts_the_same(trained, tmp_path, mirror):
    case, dynunet = make_case(4), build_unet(NNUNET_LIKE, 5).eval()
    for network, options in ((trained[0], TINY), (dynunet, NNUNET_LIKE)):
        save_network(tmp_path / "unet.safetensors", network)
        loaded = load_unet(tmp_path / "unet.safetensors", options, "cpu")
        first, second = (
            predict_unet(net, options, UNetInference(mirror=mirror), case.image, case.spacing_mm)
            for net in (network, loaded)
        )
        assert np.array_equal(first, second)
    assert first.dtype == np.float32


def test_largest_component_and_threshold(trained):
    volume = as_volume(make_case(5))
    everything = segment_unet(trained[0], TINY, UNetInference(threshold=0.01), volume)
    likely = segment_unet(trained[0], TINY, UNetInference(threshold=0.9), volume)
    one = segment_unet(trained[0], TINY, UNetInference(threshold=0.01, component="largest"), volume)
    assert likely.sum() < everything.sum()
    assert 0 < one.sum() <= everything.sum()


def test_no_brain_no_tumour(trained):
    zeros = np.zeros((5, 6, 7), np.float32)
    volume = Volume("empty", zeros, zeros > 0, (1.0, 1.0, 1.0), "digest")
    assert not segment_unet(trained[0], TINY, UNetInference(), volume).any()


def test_reference_way_at_the_volumes_own_spacing():
    options = TINY.model_copy(update={"spacing_mm": None})
    probability = predict_unet(
        build_unet(options, 1), options, UNetInference(way="resized"), *(make_case(1).image, (1.0,) * 3)
    )
    assert probability.shape == (36, 40, 27)


def test_empty_labels_are_an_error_that_names_the_training(tmp_path):
    case = make_case(1)
    empty = LabelledCase(case.image, np.zeros_like(case.label), case.brain, case.spacing_mm)
    with pytest.raises(RunError, match="'round-2' has 2 training cases and all their labels are empty"):
        train_unet(FakeWork(tmp_path), TINY, [empty, empty], "round-2")
    with pytest.raises(RunError, match="no case"):
        train_unet(FakeWork(tmp_path), TINY, [])


def test_defaults_are_the_papers():
    options = UNetOptions()
    assert options.channels == (16, 32, 64, 128, 256)
    assert (options.patch, options.batch, options.epochs) == ((128, 128, 128), 2, 400)
    assert (options.optimizer, options.learning_rate, options.momentum) == ("sgd", 0.01, 0.9)
    assert options.steps_for(257) == 400 * 129
    assert TINY.steps_for(257) == 30
    with pytest.raises(ValidationError, match="Extra inputs"):
        UNetOptions(channel=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deep_supervision": True}, "needs network 'dynunet'"),
        ({"network": "dynunet", "half_grid": True}, "half_grid is for network 'unet'"),
        ({"network": "dynunet", "channels": (4, 8)}, "three or more channels"),
        ({"network": "dynunet", "upsampling": "trilinear"}, "upsampling 'trilinear' is for network 'unet'"),
        ({"optimizer": "adam", "nesterov": True}, "needs optimizer 'sgd'"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ValidationError, match=message):
        UNetOptions(**options)


def test_turned_patches_must_be_square():
    with pytest.raises(ValidationError, match="axial-turns' needs a patch with equal x and y"):
        UNetOptions(patch=(16, 32, 16))
    with pytest.raises(ValidationError, match="sagittal-turns' needs a patch with equal y and z"):
        UNetOptions(patch=(16, 16, 32), orientation="sagittal-turns")
    UNetOptions(patch=(32, 16, 16), orientation="sagittal-turns")
