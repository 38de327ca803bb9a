"""bfloat16 is for GPUs: a CPU trains in float32, whatever it can do in hardware."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.blocks.test_training import FakeWork
from unseg_bench.blocks import precision
from unseg_bench.blocks.precision import autocast, has_bfloat16
from unseg_bench.blocks.training import fit_network, seeded_torch

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("capability", "has"), [((7, 0), False), ((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_has_bfloat16_from_capability_8_on(monkeypatch, capability, has):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert has_bfloat16("cuda:1") is has


def test_a_gpu_that_is_not_there_has_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not has_bfloat16("cuda")


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_mixed_is_float32_without_a_gpu_of_that_kind(monkeypatch, device):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "amx_bf16": True})
    with autocast("mixed", device):
        assert nn.Linear(3, 2)(torch.ones(1, 3)).dtype == torch.float32


@pytest.mark.parametrize(("asked", "found"), [("mixed", torch.bfloat16), ("float32", torch.float32)])
def test_mixed_is_bfloat16_where_the_device_has_it(monkeypatch, asked, found):
    monkeypatch.setattr(precision, "has_bfloat16", lambda _device: True)
    with autocast(asked, "cpu"):
        assert nn.Linear(3, 2)(torch.ones(1, 3)).dtype == found


SMALL = {
    "3d, two voxels deep": (lambda: nn.Conv3d(32, 32, 3, padding=1), (2, 32, 2, 3, 2)),
    "2d, strided, one pixel wide": (lambda: nn.Conv2d(16, 32, 3, stride=2, padding=1), (2, 16, 4, 1)),
}
"""Whose weight gradients torch 2.14.1 computes in bfloat16 from memory that was never written, where the CPU can."""


@pytest.mark.parametrize("name", SMALL)
def test_mixed_and_float32_train_to_the_same_bits_on_a_cpu(tmp_path, name):
    make, shape = SMALL[name]

    def weights(asked, folder):
        with seeded_torch(5):
            network = make()
        fit_network(
            network,
            batch_for=lambda step: (torch.randn(shape, generator=torch.Generator().manual_seed(step)),),
            loss_of=lambda layer, batch: layer(batch[0]).square().mean(),
            optimizer_of=lambda parameters: torch.optim.SGD(parameters, 0.1),
            steps=12,
            work=FakeWork(folder),
            precision=asked,
        )
        return network.weight

    first = weights("mixed", tmp_path / "a")
    assert torch.equal(first, weights("mixed", tmp_path / "b"))
    assert torch.equal(first, weights("float32", tmp_path / "c"))


def test_one_place_alone_decides_where_bfloat16_is_used():
    found = {
        str(path.relative_to(ROOT))
        for folder in ("unseg_bench", "methods", "datasets", "scripts", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"torch.autocast", "torch.amp", "torch.bfloat16"}
    }
    assert found == {"unseg_bench/blocks/precision.py"}
