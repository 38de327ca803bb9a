"""Every network computes with the same number of threads, whatever was done before it in the process."""

import pytest
import torch
from torch import nn

from tests.blocks.test_training import FakeWork
from unseg_bench.blocks import threads
from unseg_bench.blocks.clip.scorer import ClipScorer
from unseg_bench.blocks.sam.segmenter import SamSegmenter
from unseg_bench.blocks.threads import use_threads
from unseg_bench.blocks.training import fit_network, load_network, save_network
from unseg_bench.blocks.weights import WeightsFile, check_keys


@pytest.fixture
def three_cores(monkeypatch):
    """A machine of three cores, no wish in the environment, and torch at its own number of threads."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "physical_cores", lambda: 3)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(folder):
    fit_network(
        nn.Linear(1, 1),
        batch_for=lambda _: (torch.ones(1, 1),),
        loss_of=lambda network, batch: network(batch[0]).sum(),
        optimizer_of=lambda parameters: torch.optim.SGD(parameters, 0.1),
        steps=1,
        work=FakeWork(folder),
    )


def load(folder):
    save_network(folder / "one.safetensors", nn.Linear(1, 1))
    torch.set_num_threads(1)
    load_network(folder / "one.safetensors", nn.Linear(1, 1))


def fill(folder):
    check_keys(nn.Linear(1, 1), nn.Linear(1, 1).state_dict(), WeightsFile(folder / "one.pth", "", "one"), "a layer")


USES = {
    "a training": train,
    "a stage's network": load,
    "weights from elsewhere": fill,
    "CLIP": lambda _: ClipScorer(pretrained="miniature", offline=True),
    "SAM": lambda _: SamSegmenter("miniature", offline=True),
}


@pytest.mark.usefixtures("three_cores")
@pytest.mark.parametrize("use", USES)
def test_whatever_trains_or_loads_a_network_takes_all_cores(tmp_path, use):
    USES[use](tmp_path)
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_cores")
def test_the_environment_has_the_last_word(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert use_threads() == torch.get_num_threads() == 1
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert use_threads() == torch.get_num_threads() == 3
