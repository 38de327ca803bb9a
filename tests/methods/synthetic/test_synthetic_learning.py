"""Heads, their variation, the average of weights, and the shipped file that all this made."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from unseg_bench_methods.synthetic.heads import make_head
from unseg_bench_methods.synthetic.learning import AveragingAdamW, loss_of_sure_voxels
from unseg_bench_methods.synthetic.variation import UNSURE, VariedHeads, standardise, vary

from unseg_bench.blocks.unet.networks import segmentation_loss
from unseg_bench.blocks.weights import known_weights, load_state_dict, resolve, sha256_of

SCRIPTS = Path(__file__).parents[3] / "scripts"
SIZE = (40, 48, 40)


def rng(seed=1):
    return np.random.default_rng(seed)


def test_a_head_is_a_function_of_seed_and_number(head):
    again = make_head(3, 1, 4.0)
    np.testing.assert_array_equal(head.image, again.image)
    np.testing.assert_array_equal(head.label, again.label)
    assert not np.array_equal(head.image, make_head(3, 2, 4.0).image)
    assert (head.image[~head.brain] == 0).all()
    assert (head.image[head.brain] > 0).all()
    assert head.label.any()
    assert not (head.label & ~head.brain).any()


def test_varied_heads_are_a_function_of_the_step(head):
    heads = VariedHeads([head], SIZE, 2, 5)
    images, labels = heads(3)
    assert images.shape == (2, 1, *SIZE)
    assert labels.shape == (2, *SIZE)
    assert torch.equal(images, heads(3)[0])
    assert torch.equal(labels, heads(3)[1])
    assert not torch.equal(images, heads(4)[0])


def test_a_tumour_stays_where_it_is_seen(head):
    # The label moves with the image: a head whose image is its label keeps both together, whatever the variation.
    from dataclasses import replace

    marked = replace(head, image=np.where(head.brain, 1 + 4.0 * head.label, 0).astype(np.float32))
    agree = []
    for seed in range(4):
        image, label = vary(marked, SIZE, rng(seed))
        inside, brain = image[label == 1], image != 0
        agree.append(float(inside.mean()) - float(image[brain & (label == 0)].mean()))
    assert min(agree) > 1.0


def test_unsure_voxels_stay_unsure_and_do_not_disturb_the_rest(head):
    unsure = np.zeros(head.label.shape, bool)
    unsure[: head.label.shape[0] // 2] = True
    plain, with_unsure = vary(head, SIZE, rng()), vary(head, SIZE, rng(), unsure)
    assert torch.equal(plain[0], with_unsure[0])
    marked = with_unsure[1] == UNSURE
    assert 0.2 < float(marked.sum()) / float((plain[0] != 0).sum()) < 0.8
    assert torch.equal(plain[1][~marked], with_unsure[1][~marked])


def test_standardise_by_hand():
    image, brain = torch.tensor([[[1.0, 2.0, 3.0, 100.0, 7.0]]]), torch.tensor([[[True, True, True, True, False]]])
    found = standardise(image, brain, (0, 100))
    values = np.array([1.0, 2.0, 3.0, 100.0])
    np.testing.assert_allclose(found[0, 0, :4], (values - values.mean()) / values.std(ddof=1), rtol=1e-5)
    assert found[0, 0, 4] == 0
    assert not standardise(image, brain & False).any()


def test_sure_voxels_loss_is_monais_where_all_are_sure_and_blind_elsewhere():
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 2, 5, 6, 5), (torch.rand(2, 5, 6, 5) > 0.7).long()
    assert float(loss_of_sure_voxels(logits, labels)) == pytest.approx(
        float(segmentation_loss("dice-ce")(logits, labels)), rel=1e-5
    )
    labels[:, :2] = UNSURE
    other = logits.clone()
    other[:, :, :2] += 5 * torch.randn(2, 2, 2, 6, 5)
    assert torch.equal(loss_of_sure_voxels(logits, labels), loss_of_sure_voxels(other, labels))


def test_the_average_by_hand_and_after_a_restart():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = AveragingAdamW([weight], lr=0.1, weight_decay=0.0)
    expected = None
    for done in range(1, 6):
        weight.grad = torch.ones(1)
        optimizer.step()
        value = weight.item()
        # The first step's average is its weight; then min(0.99, done / (done + 9)) of the old one is kept.
        keep = done / (done + 9)
        expected = value if expected is None else keep * expected + (1 - keep) * value
    other = torch.nn.Parameter(torch.zeros(1))
    restarted = AveragingAdamW([other], lr=0.1, weight_decay=0.0)
    restarted.load_state_dict(optimizer.state_dict())
    restarted.load_averages()
    assert other.item() == pytest.approx(expected, rel=1e-6)


def test_the_shipped_file_is_small_known_and_the_one_that_was_trained():
    file, entry = resolve("synthetic", offline=True), known_weights()["synthetic"]
    settings = json.loads((file.path.parent / "settings.json").read_text())
    assert file.path.stat().st_size == settings["bytes"] == entry.bytes <= 4_000_000
    assert file.sha256 == settings["sha256"] == entry.sha256 == sha256_of(file.path)
    assert all(value.isfinite().all() for value in load_state_dict(file).values())
    assert "phantom" in entry.what
    assert file.sha256 in (file.path.parent / "MODEL_CARD.md").read_text()
    losses = [json.loads(line)["loss"] for line in (file.path.parent / "log.jsonl").read_text().splitlines()]
    assert len(losses) == 2 * sum(cycle["steps"] // 10 for cycle in settings["training"]["cycles"])
    assert losses[-1] < 0.7 * losses[0]


@pytest.fixture
def script(monkeypatch):
    """The training script, importable."""
    import importlib

    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("train_synthetic")
    for name in [name for name in sys.modules if name.split(".")[0] in {"synthetic", "train_synthetic"}]:
        del sys.modules[name]


@pytest.mark.slow
def test_the_script_gives_the_same_bits_again(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script.torch, "set_num_threads", lambda count: None)
    files = []
    for name in ("one", "two"):
        target = tmp_path / f"{name}-files"
        target.mkdir()
        script.export_pair(argparse.Namespace(work=tmp_path / name, target=target, steps=2, heads=2))
        files.append(target)
    first, second = (json.loads((target / "settings.json").read_text()) for target in files)
    assert first == second
    assert first["sha256"] == sha256_of(files[0] / "synthetic.safetensors")
    assert [cycle["steps"] for cycle in first["training"]["cycles"]] == [2, 2]
