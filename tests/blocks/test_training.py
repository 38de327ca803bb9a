"""The training loop: deterministic, resumable bit for bit, loud when it breaks down."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from unseg_bench.blocks import training
from unseg_bench.blocks.training import (
    Validation,
    fit_network,
    load_network,
    save_network,
    seeded_torch,
    step_generator,
)
from unseg_bench.errors import RunError, WeightsError

STEPS = 9


class KilledError(Exception):
    pass


class FakeWork:
    seed = 3
    device = "cpu"

    def __init__(self, scratch: Path, killed_at: int | None = None):
        self.scratch, self.killed_at, self.seen = scratch, killed_at, []

    def progress(self, done, total, note=""):
        self.seen.append((done, total, note))
        if done == self.killed_at:
            raise KilledError


def make_network():
    with seeded_torch(11):
        return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.4), nn.Linear(12, 2))


def batch_for(step):
    values = step_generator(8, step).normal(size=(5, 6)).astype(np.float32)
    return torch.from_numpy(values), torch.from_numpy((values[:, 0] > 0).astype(np.int64))


def loss_of(network, batch):
    return nn.functional.cross_entropy(network(batch[0]), batch[1])


def train(
    work, *, optimizer_of=lambda p: torch.optim.Adam(p, 0.01), every_s=0.0, steps=STEPS, network=None, validation=None
):
    network = network or make_network()
    log = fit_network(
        network,
        batch_for=batch_for,
        loss_of=loss_of,
        optimizer_of=optimizer_of,
        learning_rate_of=training.one_cycle(0.02, steps),
        steps=steps,
        work=work,
        checkpoint_every_s=every_s,
        validation=validation,
    )
    return network, log


def same(first, second):
    pairs = zip(first.state_dict().items(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for (_, a), b in pairs)


@pytest.mark.parametrize(
    "optimizer_of",
    [lambda p: torch.optim.Adam(p, 0.01), lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, weight_decay=1e-4)],
    ids=["adam", "sgd"],
)
def test_killed_training_ends_with_the_same_bits(tmp_path, optimizer_of):
    expected, log = train(FakeWork(tmp_path / "undisturbed"), optimizer_of=optimizer_of)
    for killed_at in (1, 4, 5, STEPS):
        with pytest.raises(KilledError):
            train(FakeWork(tmp_path / "killed", killed_at), optimizer_of=optimizer_of)
    resumed, resumed_log = train(FakeWork(tmp_path / "killed"), optimizer_of=optimizer_of)
    assert same(resumed, expected)
    assert resumed_log.losses == log.losses
    assert not same(expected, make_network())


def test_checkpoints_are_rarer_the_more_they_cost():
    assert training.interval_s(0.01, 1_000_000) == 30
    assert training.interval_s(2.0, 1_000_000) == pytest.approx(200)
    assert training.interval_s(0.5, 307_000_000) == pytest.approx(276.3)


def test_a_slow_disk_makes_checkpoints_rare(tmp_path, monkeypatch):
    """A step takes a second, a checkpoint two: the first is written after 30 s, the next after 200."""
    now, written = [0.0], []
    real = torch.save

    def save(values, path):
        now[0] += 2
        written.append(values["done"])
        real(values, path)

    class Ticking(FakeWork):
        def progress(self, done, total, note=""):
            now[0] += 1

    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(torch, "save", save)
    train(Ticking(tmp_path), every_s=None, steps=300)
    assert written == [30, 230, 300]


def test_killed_before_any_checkpoint_starts_again(tmp_path):
    expected, _ = train(FakeWork(tmp_path / "a"))
    with pytest.raises(KilledError):
        train(FakeWork(tmp_path / "b", killed_at=5), every_s=1e6)
    assert not list((tmp_path / "b").glob("*.pt"))
    assert same(train(FakeWork(tmp_path / "b"))[0], expected)


def test_finished_training_is_not_repeated(tmp_path):
    expected, _ = train(FakeWork(tmp_path), every_s=1e6)
    work = FakeWork(tmp_path)
    again, log = train(work)
    assert work.seen == []
    assert same(again, expected)
    assert len(log.losses) == STEPS


def scripted(scores, seen):
    """A validation whose scores are given; it keeps the weights that it saw, and disturbs what it can."""
    given = iter(scores)

    def score(network):
        assert not network.training
        torch.rand(3)
        seen.append({key: value.clone() for key, value in network.state_dict().items()})
        return next(given)

    return Validation(score, every=2)


def test_best_weights_are_kept_and_training_itself_is_not_disturbed(tmp_path):
    last, plain = train(FakeWork(tmp_path / "plain"))
    seen = []
    network, log = train(FakeWork(tmp_path / "best"), validation=scripted([0.1, 0.7, 0.4, 0.7, 0.2], seen))
    assert log.scores == [(2, 0.1), (4, 0.7), (6, 0.4), (8, 0.7), (9, 0.2)]
    assert (log.kept_step, plain.kept_step) == (4, STEPS)
    assert log.losses == plain.losses
    assert all(torch.equal(value, seen[1][key]) for key, value in network.state_dict().items())
    assert all(torch.equal(value, seen[-1][key]) for key, value in last.state_dict().items())
    assert not network.training


@pytest.mark.parametrize("killed_at", [1, 4, 5, 8, STEPS])
def test_killed_training_keeps_the_same_best_weights(tmp_path, killed_at):
    def by_weights(network):
        return -abs(float(network[0].weight.sum()) - 0.04)

    validation = Validation(by_weights, every=2)
    expected, log = train(FakeWork(tmp_path / "undisturbed"), validation=validation)
    assert log.kept_step == 4
    with pytest.raises(KilledError):
        train(FakeWork(tmp_path / "killed", killed_at), validation=validation)
    resumed, resumed_log = train(FakeWork(tmp_path / "killed"), validation=validation)
    finished, finished_log = train(FakeWork(tmp_path / "killed"), validation=validation)
    assert same(resumed, expected)
    assert same(finished, expected)
    assert (resumed_log.scores, finished_log.scores) == (log.scores, log.scores)


def test_state_of_the_global_generator_does_not_matter_and_is_kept(tmp_path):
    torch.manual_seed(1)
    first, _ = train(FakeWork(tmp_path / "a"))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second, _ = train(FakeWork(tmp_path / "b"))
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first, second)


def test_progress_tells_step_and_loss_and_network_is_left_for_evaluation(tmp_path):
    work = FakeWork(tmp_path)
    network, log = train(work)
    assert [seen[:2] for seen in work.seen] == [(done, STEPS) for done in range(1, STEPS + 1)]
    assert work.seen[-1][2] == f"loss {log.losses[-1]:.3f}"
    assert not network.training
    assert log.final_loss == log.losses[-1]


def test_frozen_parameters_stay(tmp_path):
    network = make_network()
    network[0].requires_grad_(False)
    frozen = network[0].weight.clone()
    train(FakeWork(tmp_path), network=network, optimizer_of=lambda p: torch.optim.SGD(p, 1.0, weight_decay=0.1))
    assert torch.equal(network[0].weight, frozen)


def test_loss_that_is_not_finite_names_training_and_step(tmp_path):
    def broken(network, batch):
        return loss_of(network, batch) * float("nan")

    with pytest.raises(RunError, match="'round two' broke down at step 1"):
        fit_network(
            make_network(),
            batch_for=batch_for,
            loss_of=broken,
            optimizer_of=lambda p: torch.optim.SGD(p, 0.1),
            steps=3,
            work=FakeWork(tmp_path),
            name="round two",
        )


def test_error_in_a_batch_reaches_the_caller(tmp_path):
    def batch(step):
        raise ZeroDivisionError("broken batch")

    with pytest.raises(ZeroDivisionError, match="broken batch"):
        fit_network(
            make_network(),
            batch_for=batch,
            loss_of=loss_of,
            optimizer_of=lambda p: torch.optim.SGD(p, 0.1),
            steps=3,
            work=FakeWork(tmp_path),
        )


def test_checkpoint_of_another_length_is_refused(tmp_path):
    train(FakeWork(tmp_path))
    with pytest.raises(RunError, match="9 steps, not 4"):
        train(FakeWork(tmp_path), steps=4)


def test_step_seeds_are_distinct_and_stable():
    seeds = {training.step_seed(seed, step) for seed in range(20) for step in range(-20, 20)}
    assert len(seeds) == 800
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_schedules():
    decay = training.polynomial_decay(0.01, 400, 0.9)
    assert decay(0) == 0.01
    assert decay(200) == pytest.approx(0.01 * 0.5**0.9)
    cycle = training.one_cycle(1.0, 100, 0.1)
    assert [cycle(0), cycle(9), cycle(10)] == pytest.approx([0.1, 1.0, 1.0])
    assert cycle(55) == pytest.approx(0.5)
    assert 0 < cycle(99) < 0.01


def test_networks_are_saved_and_checked(tmp_path):
    network = make_network()
    save_network(tmp_path / "net.safetensors", network)
    with seeded_torch(99):
        other = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.4), nn.Linear(12, 2))
    assert not same(network, other)
    load_network(tmp_path / "net.safetensors", other)
    assert same(network, other)
    with pytest.raises(WeightsError, match=r"net\.safetensors does not hold the weights of this Linear"):
        load_network(tmp_path / "net.safetensors", nn.Linear(2, 2))
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "net.safetensors").read_bytes()[:40])
    with pytest.raises(WeightsError, match=r"cut\.safetensors"):
        load_network(tmp_path / "cut.safetensors", other)


def test_machines_with_several_gpus_hear_no_warning_and_unused_ones_are_left_alone(monkeypatch, recwarn):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: pytest.fail(f"GPU {device} was touched"))
    with seeded_torch(3):
        first = torch.rand(1)
    with seeded_torch(3):
        assert torch.equal(torch.rand(1), first)
    assert not recwarn.list


def test_generators_of_gpus_in_use_are_as_they_were_before(monkeypatch, recwarn):
    states = {0: "first", 1: "second"}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[device])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: states.update({device: state}))
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: states.update({0: seed, 1: seed}))
    with seeded_torch(3):
        assert states == {0: 3, 1: 3}
    assert states == {0: "first", 1: "second"}
    assert not recwarn.list
