"""The method: keeps the contract, works on other grids, finds phantoms' tumours, adapts without labels."""

import sys

import numpy as np
import pytest
from pydantic import ValidationError
from unseg_bench_methods.synthetic.method import Synthetic
from unseg_bench_methods.synthetic.options import SyntheticOptions
from unseg_bench_methods.synthetic.pair import load_pair

from unseg_bench.blocks.resample import mask_to_shape, resample_to_shape
from unseg_bench.blocks.weights import resolve
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import RunError, WeightsError
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.trial import make_volume


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.slow
def test_keeps_the_contract():
    assert [result for result in check_method(Synthetic) if not result.passed] == []


def test_reads_no_label_with_any_preset():
    for preset in Synthetic.presets:
        assert Synthetic(preset_options(Synthetic, preset)).supervision is Supervision.NONE


def test_finds_the_tumours_of_phantoms_it_has_not_seen(fit, phantoms):
    method, context = fit(mirror="none")
    scores = [dice(method.segment(one.volume, context), one.reference) for one in phantoms]
    assert min(scores) > 0.6
    assert np.mean(scores) > 0.75


def test_another_grid_gives_the_same_tumour(fit, phantoms):
    method, context = fit(mirror="none")
    one = phantoms[0]
    x, y, z = one.volume.shape
    shape = (x, y, z // 2)
    image, brain = resample_to_shape(one.volume.image, shape), mask_to_shape(one.volume.brain, shape)
    thick = make_volume("thick", image * brain, brain, (3.0, 3.0, 6.0))
    mask = method.segment(thick, context)
    assert mask.shape == shape
    assert mask.dtype == np.bool_
    assert not (mask & ~brain).any()
    assert dice(mask, mask_to_shape(one.reference, shape)) > 0.6


def test_explanation_shows_every_step(fit, phantoms):
    method, context = fit(outline_sigmas_mm=(1.2, 2.0))
    steps = method.explain(phantoms[0].volume, context).steps
    assert [step.title for step in steps] == [
        "first pass: probability",
        "second pass: probability",
        "brighter than the mirror image",
        "place",
        "steepest outline 1 of 2",
        "steepest outline 2 of 2",
        "outline, filled",
        "mask, with cavities",
    ]
    assert not np.array_equal(steps[0].heat, steps[1].heat)
    assert "per mm steep" in steps[4].note
    assert steps[7].mask.any()


@pytest.mark.parametrize(
    "change",
    [
        {"networks": "second"},
        {"networks": "both"},
        {"standardise": "brain"},
        {"gain": 2.0, "outline": "probability", "cavities": False},
        {"threshold": 0.9, "outline": "probability"},
        {"outline": "probability"},
        {"outline_sigmas_mm": (2.5,)},
    ],
)
def test_each_option_changes_the_answer(fit, phantoms, change):
    (method, context), (other, _) = fit(mirror="none"), fit(mirror="none", **change)
    one = phantoms[0].volume
    assert not np.array_equal(method.segment(one, context), other.segment(one, context))


def test_the_rows_of_the_study_differ_from_each_other(fit, phantoms):
    masks = []
    for changed in Synthetic.studies["steps"].rows.values():
        method, context = fit(mirror="none", **changed)
        masks.append(method.segment(phantoms[1].volume, context))
    assert len({mask.tobytes() for mask in masks}) >= len(masks) - 3  # holes and cavities are not in every case


def test_a_smoothing_of_nothing_is_refused():
    with pytest.raises(ValidationError, match="above 0"):
        SyntheticOptions(outline_sigmas_mm=(0.0, 1.6))


def test_a_case_without_brain_or_without_tumour_is_not_sure(fit, phantoms):
    method, context = fit(mirror="none")
    said = {}
    context.confidence = lambda volume, value, parts=None: said.update({volume.case_id: (value, parts)})
    shape = (24, 24, 24)
    empty = make_volume("empty", np.zeros(shape, np.float32), np.zeros(shape, bool), (3.0,) * 3)
    assert not method.segment(empty, context).any()
    flat = make_volume("flat", np.zeros(shape, np.float32), np.ones(shape, bool), (3.0,) * 3)
    mask = method.segment(flat, context)
    assert said["empty"][0] == 0
    assert (said["flat"][0] == 0) == (not mask.any())
    method.segment(phantoms[0].volume, context)
    value, parts = said["p0"]
    assert set(parts) == {"passes", "edge", "outlines"}
    assert value == pytest.approx(sum(parts.values()) / 3)
    assert value > 0.8


@pytest.mark.slow
def test_adaptation_changes_both_halves_and_repeats(fit, phantoms):
    asked = {"steps": 1, "heads": 1, "min_agreement": 0.3, "learning_rate": 1e-3}
    method, context = fit(phantoms[:2], adaptation=asked)
    assert [name.rpartition("-")[0] for name in context.finished] == [
        "working-volumes",
        "synthetic-answers",
        "synthetic-heads",
        "synthetic-adapted",
    ]
    adapted, shipped = load_pair(method._adapted_file, "cpu"), load_pair(resolve("synthetic"), "cpu")
    for own, before in zip(adapted.networks, shipped.networks, strict=True):
        assert any((a != b).any() for a, b in zip(own.parameters(), before.parameters(), strict=True))
    again, context = fit(phantoms[:2], adaptation=asked)
    assert context.finished == []
    assert again._adapted_file.sha256 == method._adapted_file.sha256
    assert context.labels.read == context.labels.refused == []


@pytest.mark.slow
def test_too_little_agreement_is_an_error(fit, phantoms):
    with pytest.raises(RunError, match=r"agree on 0 of 2 .*adaptation.min_agreement"):
        fit(phantoms[:2], adaptation={"steps": 1, "heads": 0, "min_agreement": 1.0})


@pytest.mark.slow
def test_closed_generator_is_an_error_that_names_the_option(fit, phantoms, monkeypatch):
    monkeypatch.setitem(sys.modules, "unseg_bench_methods.synthetic.heads", None)
    with pytest.raises(RunError, match=r"set adaptation.heads to 0"):
        fit(phantoms[:2], adaptation={"steps": 1, "heads": 1, "min_agreement": 0.3})


def test_other_weights_are_refused(fit, phantoms, tmp_path):
    from safetensors.torch import save_file
    from torch import zeros

    save_file({"first.x": zeros(1)}, tmp_path / "mine.safetensors")
    method, context = fit(weights=str(tmp_path / "mine.safetensors"))
    with pytest.raises(WeightsError, match="does not hold weights of a half"):
        method.segment(phantoms[0].volume, context)
    save_file({"x": zeros(1)}, tmp_path / "none.safetensors")
    method, context = fit(weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(WeightsError, match="has no network 'first'"):
        method.segment(phantoms[0].volume, context)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 5, 5), (40, 40, 1), (1, 30, 30)])
def test_heads_that_are_none_have_an_answer_without_a_warning(fit, shape):
    method, context = fit(mirror="none")
    brain = np.ones(shape, bool)
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    mask = method.segment(make_volume("none", image, brain, (1.0, 1.0, 1.0)), context)
    assert mask.shape == shape


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"outline_sigmas_mm": (1.6,)}, {"edge", "passes"}),
        ({"standardise": "brain"}, {"edge", "outlines"}),
        ({"standardise": "brain", "outline": "probability"}, {"edge"}),
    ],
)
def test_an_agreement_that_cannot_fail_is_no_part_of_the_confidence(fit, phantoms, change, parts):
    method, context = fit(mirror="none", **change)
    said = []
    context.confidence = lambda volume, value, parts=None: said.append((value, parts))
    method.segment(phantoms[0].volume, context)
    ((value, stated),) = said
    assert set(stated) == parts
    assert value == pytest.approx(sum(stated.values()) / len(parts))
