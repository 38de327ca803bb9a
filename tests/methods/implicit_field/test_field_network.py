"""The network: its encoding, its size, and the same numbers as the published decoder written out."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional
from unseg_bench_methods.implicit_field.network import Field, cap, draw_codes, encode
from unseg_bench_methods.implicit_field.options import NetworkOptions, TrainingOptions

SMALL = NetworkOptions(octaves=2, code=8, width=32, layers=5, join_after=3, dropout=0.5)


def test_encoding_has_six_numbers_an_octave():
    point = torch.tensor([[0.5, -0.25, 0.1]])
    found = encode(point, 3)
    assert found.shape == (1, 18)
    angles = [2**k * math.pi * x for x in (0.5, -0.25, 0.1) for k in range(3)]
    expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
    torch.testing.assert_close(found[0], torch.tensor(expected), atol=1e-6, rtol=0)


def test_published_size():
    field = Field(NetworkOptions(), octaves=10, classes=10)
    assert sum(p.numel() for p in field.parameters()) == 1_847_698
    shapes = [tuple(layer.weight.shape) for layer in field.hidden]
    assert shapes == [(512, 316), (512, 512), (512, 512), (196, 512), *[(512, 512)] * 4]


def test_small_size_of_the_demo():
    options = NetworkOptions(octaves=6, code=64, width=128, layers=5, join_after=3)
    assert sum(p.numel() for p in Field(options, 6, 10).parameters()) == 67_906


@pytest.mark.parametrize(("side", "octaves"), [(160, 7), (32, 5), (64, 6), (48, 5)])
def test_octaves_follow_the_grid(side, octaves):
    assert NetworkOptions(octaves=None).octaves_for(side) == octaves
    assert 2 ** (octaves - 1) <= side / 2 < 2**octaves
    assert NetworkOptions().octaves_for(side) == 10


def test_a_network_without_room_for_the_join_is_refused():
    with pytest.raises(ValidationError, match=r"network\.width must exceed"):
        NetworkOptions(width=316)
    with pytest.raises(ValidationError, match=r"join_after must be less"):
        NetworkOptions(join_after=8)
    with pytest.raises(ValueError, match="20 inputs"):
        Field(NetworkOptions(octaves=None, code=8, width=20, layers=3, join_after=1), octaves=2, classes=3)


def test_forward_is_the_published_decoder_with_inputs_joined():
    torch.manual_seed(1)
    field = Field(SMALL, octaves=2, classes=4).eval()
    codes, points = torch.randn(3, 8), torch.rand(3, 5, 3) * 2 - 1
    inputs = torch.cat([encode(points, 2), codes[:, None].expand(3, 5, 8)], dim=-1)
    values = inputs
    for number, layer in enumerate(field.hidden):
        if number == 3:
            values = torch.cat([values, inputs], dim=-1)
        gain, direction = (getattr(layer.parametrizations.weight, f"original{n}") for n in (0, 1))
        weight = gain * direction / direction.norm(dim=1, keepdim=True)
        values = functional.relu(functional.linear(values, weight, layer.bias))
    expected = functional.linear(values, field.last.weight, field.last.bias)
    torch.testing.assert_close(field(codes, points), expected)


def test_dropout_is_off_in_evaluation_mode_only():
    torch.manual_seed(1)
    field = Field(SMALL, octaves=2, classes=4)
    codes, points = torch.randn(1, 8), torch.rand(1, 50, 3)
    assert not torch.equal(field(codes, points), field(codes, points))
    field.eval()
    assert torch.equal(field(codes, points), field(codes, points))


def test_codes_have_a_norm_of_about_one_and_cap_brings_longer_ones_back():
    codes = draw_codes(500, 256, torch.Generator().manual_seed(0))
    assert 0.98 < float(codes.norm(dim=1).mean()) < 1.02
    some = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    cap(some)
    torch.testing.assert_close(some, torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))


def test_steps_are_epochs_or_a_floor_for_small_cohorts():
    assert TrainingOptions().steps_for(1055) == 352_176
    assert TrainingOptions().steps_for(24) == 50_000
    assert TrainingOptions(steps=7).steps_for(1055) == 7
