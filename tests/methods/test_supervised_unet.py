"""The supervised U-Net: keeps the contract, reads masks as declared, and masks decide what is cached."""

import json
from pathlib import Path

import numpy as np
import pytest
from unseg_bench_methods.supervised_unet import SupervisedUnet

from unseg_bench.blocks.unet.options import UNetOptions
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import RunError
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.trial import TinyCase, TrialContext, TrialLabels, tiny_case, tiny_cohort


def fit(folder: Path, cases, options=None, seed=7, valid=()):
    labels = TrialLabels(Supervision.MASKS, {"train": cases, "valid": valid, "test": []})
    context = TrialContext(folder, labels, tiny_cohort("healthy", []), seed=seed)
    method = SupervisedUnet(options or preset_options(SupervisedUnet, "check"))
    method.fit(tiny_cohort("train", cases), tiny_cohort("valid", valid), context)
    return method, context


@pytest.mark.slow
def test_keeps_the_contract():
    assert [result for result in check_method(SupervisedUnet) if not result.passed] == []


def test_reads_training_masks_and_says_why(tmp_path):
    cases = [tiny_case("a", 1), tiny_case("b", 2)]
    _, context = fit(tmp_path, cases)
    assert set(context.labels.read) == {
        "mask of a (train the U-Net)",
        "mask of b (train the U-Net)",
    }


def test_changed_mask_trains_again_and_changed_inference_does_not(tmp_path):
    cases = [tiny_case("a", 1), tiny_case("b", 2)]
    _, first = fit(tmp_path, cases)
    assert [name.rpartition("-")[0] for name in first.finished] == ["reference-masks", "supervised-unet"]
    options = preset_options(SupervisedUnet, "check")
    other_way = options.model_copy(update={"inference": options.inference.model_copy(update={"mirror": "none"})})
    assert fit(tmp_path, cases, other_way)[1].finished == []
    corrected = cases[0].reference.copy()
    corrected[15, 15, 15] ^= True
    _, again = fit(tmp_path, [TinyCase(cases[0].volume, corrected), cases[1]])
    assert len(again.finished) == 2


def test_other_seed_trains_again_on_the_same_masks(tmp_path):
    cases = [tiny_case("a", 1), tiny_case("b", 2)]
    first, _ = fit(tmp_path, cases)
    second, context = fit(tmp_path, cases, seed=8)
    assert [name.rpartition("-")[0] for name in context.finished] == ["supervised-unet"]
    pairs = zip(first._network.parameters(), second._network.parameters(), strict=True)
    assert any(not np.array_equal(a.detach().numpy(), b.detach().numpy()) for a, b in pairs)


def changed(preset, **unet):
    options = preset_options(SupervisedUnet, preset)
    return options.model_copy(update={"unet": options.unet.model_copy(update=unet)})


def test_validation_masks_choose_the_weights_where_asked(tmp_path):
    cases, valid = [tiny_case("a", 1), tiny_case("b", 2)], [tiny_case("c", 3)]
    best = changed("check", keep="best-validation-dice", validate_every=5)
    _, context = fit(tmp_path, cases, best, valid=valid)
    assert [line for line in context.labels.read if line.startswith("mask of c")]
    assert all("choose the U-Net's weights" in line for line in context.labels.read if "mask of c" in line)
    (trained,) = tmp_path.glob("stages/supervised-unet-*[0-9a-f]/training.json")
    facts = json.loads(trained.read_text())
    assert [step for step, _ in facts["scores"]] == [5, 10, 12]
    assert facts["kept_step"] == max(facts["scores"], key=lambda one: one[1])[0]
    _, plain = fit(tmp_path / "plain", cases, valid=valid)
    assert not [line for line in plain.labels.read if "mask of c" in line]
    with pytest.raises(RunError, match="no validation case"):
        fit(tmp_path / "none", cases, best)


def test_a_tiny_one_of_nnunets_kind_trains_and_segments_the_same_twice(tmp_path):
    small = {"channels": (4, 8, 8), "patch": (12, 16, 12), "spacing_mm": 8.0, "steps": 3}
    cases = [tiny_case("a", 1), tiny_case("b", 2)]
    masks = []
    for number in range(2):
        method, context = fit(tmp_path / str(number), cases, changed("nnunet", **small))
        masks.append(method.segment(tiny_case("unseen", 4).volume, context))
    assert np.array_equal(*masks)


def test_presets():
    paper = preset_options(SupervisedUnet, "paper").unet
    assert paper == UNetOptions()
    assert (paper.channels, paper.patch, paper.batch) == ((16, 32, 64, 128, 256), (128, 128, 128), 2)
    assert (paper.optimizer, paper.learning_rate, paper.epochs, paper.keep) == ("sgd", 0.01, 400, "last")
    nnunet = preset_options(SupervisedUnet, "nnunet")
    assert (nnunet.unet.network, nnunet.unet.deep_supervision, nnunet.unet.augmentation) == ("dynunet", True, "strong")
    assert (nnunet.unet.momentum, nnunet.unet.nesterov, nnunet.inference.mirror) == (0.99, True, "all-axes")
    demo = preset_options(SupervisedUnet, "demo")
    assert demo.unet.steps is not None
    assert SupervisedUnet(demo).supervision is Supervision.MASKS


@pytest.mark.slow
def test_learns_to_find_bright_blobs(tmp_path):
    options = preset_options(SupervisedUnet, "check")
    longer = options.model_copy(update={"unet": options.unet.model_copy(update={"steps": 150, "spacing_mm": 4.0})})
    method, context = fit(tmp_path, [tiny_case(str(seed), seed) for seed in range(6)], longer)
    scores = []
    for seed in (20, 21):
        case = tiny_case("unseen", seed)
        mask = method.segment(case.volume, context)
        scores.append(2 * (mask & case.reference).sum() / (mask.sum() + case.reference.sum()))
    assert min(scores) > 0.6
