"""AMCons and GradCAMCons as methods: what they learn from, read, cut and show; tiny networks on made-up cases."""

import json
from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from unseg_bench_methods.constrained_vae.amcons import Amcons
from unseg_bench_methods.constrained_vae.gradcamcons import Gradcamcons
from unseg_bench_methods.constrained_vae.method import CHOOSE

from unseg_bench.blocks.constrained_vae.maps import Maps, scale_rows, scale_slices
from unseg_bench.blocks.constrained_vae.options import FitOptions, LossOptions
from unseg_bench.blocks.constrained_vae.training import batches, constraint_start
from unseg_bench.blocks.normals import PURPOSE
from unseg_bench.blocks.slices import to_pictures
from unseg_bench.blocks.training import steps_an_epoch
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import RunError
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.trial import TrialContext, TrialLabels, make_volume, tiny_case, tiny_cohort

METHODS = (Amcons, Gradcamcons)
TRAIN = [tiny_case(f"train-{number}", number) for number in range(3)]
VALID = [tiny_case("valid", 11)]
HEALTHY = [tiny_case(f"healthy-{number}", 20 + number, tumour=False) for number in range(3)]
TEST = tiny_case("test", 9)
FORGETFUL = SimpleNamespace(keep_map=lambda *_: None, alternative=lambda *_: None)
FEW = {"slices": {"size": 32, "erosion_px": 1, "field_mm": 160.0}, "training": {"epochs": 2, "batch": 8}}


def with_values(options, changes):
    """Options with nested values put in, checked."""
    values = options.model_dump()
    for group, value in changes.items():
        values[group] = {**values[group], **value} if isinstance(value, dict) else value
    return type(options).model_validate(values)


def fit(method, folder, changes=None, preset="check", granted=None):
    options = with_values(with_values(preset_options(method, preset), FEW), changes or {})
    fitted = method(options)
    labels = TrialLabels(granted or fitted.supervision, {"train": TRAIN, "valid": VALID, "test": [TEST]})
    context = TrialContext(folder, labels, tiny_cohort("healthy", HEALTHY), seed=3)
    fitted.fit(tiny_cohort("train", TRAIN), tiny_cohort("valid", VALID), context)
    return fitted, context


@pytest.fixture(scope="module", params=METHODS, ids=lambda method: method.name)
def fitted(request, tmp_path_factory):
    return fit(request.param, tmp_path_factory.mktemp(request.param.name))


def test_reads_no_label(fitted):
    method, context = fitted
    assert method.supervision is Supervision.NONE
    assert method.segment(TEST.volume, FORGETFUL).shape == TEST.volume.shape
    assert context.labels.read == context.labels.refused == []


def test_mask_is_what_lies_above_the_threshold(fitted):
    method, _ = fitted
    kept = {}
    context = SimpleNamespace(
        keep_map=lambda volume, scores: kept.update(map=scores),
        alternative=lambda volume, name, mask: kept.update({name: mask}),
    )
    mask = method.segment(TEST.volume, context)
    threshold = method._thresholds.values["q0.98"]
    np.testing.assert_array_equal(mask, kept["map"] > threshold)
    assert set(kept) == {"map", "q0.95", "q0.99"}
    assert (kept["q0.95"] >= mask).all()
    assert (mask >= kept["q0.99"]).all()
    assert not (mask & ~method._maps.region_of(TEST.volume)).any()


def test_threshold_comes_from_normals_that_were_not_learned_from(fitted):
    method, context = fitted
    stages = {name.rpartition("-")[0]: context.host._cache.folder / name for name in context.finished}
    assert set(stages) == {"normal-slices", "constrained-vae", "constrained-vae-normals"}
    facts = json.loads((stages["constrained-vae"] / "training.json").read_text())
    learned, held_out = (facts["slices"], np.load(stages["constrained-vae-normals"] / "values.npy"))
    assert learned < sum(case.volume.brain.any(axis=(0, 1)).sum() for case in HEALTHY)
    regions = [method._maps.region_of(case.volume).sum() for case in HEALTHY]
    assert len(held_out) in regions
    assert method._thresholds.values["q0.98"] == pytest.approx(np.quantile(held_out, 0.98))


def test_map_of_a_slice_lies_at_that_slice(fitted):
    maps, volume = fitted[0]._maps, TEST.volume
    upright = maps.map_of(volume)
    flipped = make_volume("flipped", volume.image[:, :, ::-1].copy(), volume.brain[:, :, ::-1].copy())
    np.testing.assert_allclose(maps.map_of(flipped)[:, :, ::-1], upright, atol=1e-4 * np.abs(upright).max())
    assert np.ptp(upright.max(axis=(0, 1))) > 0


def test_slices_do_not_touch_each_other(fitted):
    method, context = fitted
    maps, volume = method._maps, TEST.volume
    vae = next(context.host._cache.folder / name for name in context.finished if name.startswith("constrained-vae-")
               and "normals" not in name)  # fmt: skip
    one_by_one = method._mapping.inference.model_copy(update={"batch": 1})
    artifact = SimpleNamespace(path=vae.__truediv__)
    single = Maps(method._mapping.model_copy(update={"inference": one_by_one}), artifact, "cpu").map_of(volume)
    np.testing.assert_allclose(single, maps.map_of(volume), atol=1e-4 * np.abs(single).max())


def test_explains_slices_reconstruction_map_and_mask(fitted):
    method, _ = fitted
    explanation = method.explain(TEST.volume, FORGETFUL)
    seen, made, heat, answer = explanation.steps
    for step in (seen, made, heat):
        assert step.heat.shape == TEST.volume.shape
        assert 0 <= step.heat.min() < step.heat.max() <= 1
    np.testing.assert_array_equal(answer.mask, method.segment(TEST.volume, FORGETFUL))
    inside = TEST.volume.brain
    assert np.corrcoef(seen.heat[inside], TEST.volume.image[inside])[0, 1] > 0.8


def test_case_that_looks_normal_may_be_empty(fitted):
    volume = TEST.volume
    dull = make_volume("dull", np.where(volume.brain, np.float32(0.3), np.float32(0)), volume.brain.copy())
    assert fitted[0].segment(dull, FORGETFUL).sum() < 0.02 * volume.brain.sum()


USES = {
    PURPOSE: ({"normals": {"source": "slice-labels"}}, Supervision.SLICE_LABELS),
    CHOOSE: ({"thresholds": {"rule": "best-dice"}}, Supervision.VALIDATION_MASKS),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("purpose", USES)
def test_each_label_use_is_declared_and_has_its_purpose(method, purpose, tmp_path):
    changes, supervision = USES[purpose]
    used, context = fit(method, tmp_path, changes)
    assert used.supervision is supervision
    cases = [case.volume.case_id for case in (TRAIN if purpose == PURPOSE else VALID)]
    kind = "slice labels" if purpose == PURPOSE else "mask"
    assert set(context.labels.read) == {f"{kind} of {case_id} ({purpose})" for case_id in cases}
    assert used._thresholds.chosen == ("q0.98" if purpose == PURPOSE else "best-dice")


@pytest.mark.parametrize(
    ("method", "preset"),
    [(Amcons, "reference-code"), (Gradcamcons, "reference-code"), (Gradcamcons, "reference-code-2022")],
)
def test_reference_code_runs_and_reads_what_it_declares(method, preset, tmp_path):
    small = {
        "slices": {"middle": 16},
        "network": {"width": 4, "latent": 3},
        "loss": {"warm_up_epochs": 0, "warm_up_steps": None},
    }
    used, context = fit(method, tmp_path, small, preset)
    assert used.supervision is Supervision.SLICE_LABELS_AND_VALIDATION_MASKS
    assert {line.partition(" (")[2].rstrip(")") for line in context.labels.read} == {PURPOSE, CHOOSE}
    assert used._maps.map_of(TEST.volume)[used._maps.region_of(TEST.volume)].std() > 0
    shown = to_pictures(used._maps.region_of(TEST.volume)).any(axis=(1, 2)).sum()
    assert shown > 16


def test_published_numbers():
    amcons, gradcamcons = (preset_options(method, "paper") for method in METHODS)
    assert (amcons.map, amcons.network.layout, amcons.network.width, amcons.network.latent) == (
        "activation",
        "2022",
        64,
        32,
    )
    assert amcons.loss == LossOptions(scale="summed", kl_weight=10, constraint="entropy", constraint_weight=0.1)
    assert amcons.training.model_dump(exclude={"precision"}) == {"epochs": 300, "batch": 8, "learning_rate": 1e-4}
    assert (gradcamcons.map, gradcamcons.network.layout) == ("grad-cam", "2021")
    size = {"constraint": "size", "constraint_weight": 10, "share": 0.2, "barrier": 20}
    assert (
        gradcamcons.loss.model_dump() == LossOptions(scale="mean", kl_weight=1, warm_up_steps=400, **size).model_dump()
    )
    assert gradcamcons.training.model_dump(exclude={"precision"}) == {"epochs": 300, "batch": 32, "learning_rate": 1e-5}
    assert gradcamcons.inference.scale == "normals"
    later = preset_options(Gradcamcons, "reference-code-2022").loss
    size = {"constraint": "size", "constraint_weight": 1000, "share": 0.01, "barrier": 10}
    assert later.model_dump() == LossOptions(scale="summed", kl_weight=1, warm_up_epochs=50, **size).model_dump()
    for options in (amcons, gradcamcons):
        assert (options.slices.size, options.slices.erosion_px, options.thresholds.rule) == (224, 6, "quantile")


@pytest.mark.parametrize(
    ("options", "an_epoch", "start"),
    [
        (LossOptions(warm_up_epochs=0), 30, 30),
        (LossOptions(warm_up_epochs=50), 30, 51 * 30),
        (LossOptions(warm_up_steps=400), 30, 14 * 30),
        (LossOptions(warm_up_steps=400), 1000, 1000),
    ],
)
def test_constraint_begins_with_an_epoch(options, an_epoch, start):
    assert constraint_start(options, an_epoch) == start


def fitting(**loss):
    options = with_values(preset_options(Amcons, "check"), {**FEW, "loss": loss})
    return FitOptions(**{name: getattr(options, name) for name in FitOptions.model_fields})


def test_batches_show_each_slice_once_an_epoch_and_a_region_from_the_start_on():
    pictures = np.zeros((21, 32, 32), np.uint8)
    pictures[:, 10:20, 10:20] = np.arange(1, 22, dtype=np.uint8)[:, None, None]
    pictures[4, 2:8, 2:8] = 5
    batch_for = batches(7, fitting(), pictures, start=2)
    assert steps_an_epoch(21, 8) == 2
    assert [len(batch_for(step)) for step in range(6)] == [1, 1, 2, 2, 2, 2]
    for epoch in range(3):
        shown = [batch_for(2 * epoch + k)[0][:, 12, 12].tolist() for k in range(2)]
        assert len(set(chain(*shown))) == 16
    for step in range(2, 6):
        own, region = batch_for(step)
        assert region[12:18, 12:18].all()
        assert bool(region[4, 4]) is (5 in own[:, 12, 12])
        again = batches(7, fitting(), pictures, start=2)(step)
        assert torch.equal(own, again[0])


def test_weight_of_zero_is_a_plain_vae(tmp_path):
    pictures = np.full((16, 32, 32), 9, np.uint8)
    assert [len(batches(7, fitting(constraint_weight=0.0), pictures, start=0)(step)) for step in range(3)] == [1, 1, 1]
    plain, _ = fit(Gradcamcons, tmp_path, {"loss": {"constraint_weight": 0.0, "warm_up_steps": 10**6}})
    assert np.isfinite(plain._maps.map_of(TEST.volume)).all()


def test_training_that_ends_before_its_constraint_begins_is_an_error(tmp_path):
    with pytest.raises(RunError, match=r"begins after step \d+, and the training has.*training.epochs"):
        fit(Gradcamcons, tmp_path, {"loss": {"warm_up_steps": 1000}})


@pytest.mark.parametrize("method", METHODS)
def test_scale_by_normals_changes_no_mask(method, tmp_path):
    masks = []
    for scale in ("raw", "normals"):
        used, _ = fit(method, tmp_path, {"inference": {"scale": scale}})
        masks.append(used.segment(TEST.volume, FORGETFUL))
    assert (masks[0] != masks[1]).sum() <= 2


def test_scales_of_a_slice():
    rng = np.random.default_rng(0)
    maps, inside = rng.normal(size=(3, 6, 6)).astype(np.float32), np.zeros((3, 6, 6), bool)
    inside[:2, 1:5, 1:5] = True
    scaled = scale_slices(maps, inside)
    assert scaled[:2].max(axis=(1, 2)) == pytest.approx(1.0)
    assert scaled[0][inside[0]].min() == 0
    assert not scaled[2].any()
    by_rows = scale_rows(torch.from_numpy(maps)).numpy()
    for one, expected in zip(maps, by_rows, strict=True):
        shifted = one - one.max(axis=1).min() - 1e-3
        np.testing.assert_allclose(expected, shifted / (shifted.max() + 1e-3), atol=1e-6)
    assert by_rows.min() < 0
