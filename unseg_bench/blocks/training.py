"""The one training loop: deterministic by (seed, step), so that a killed training resumes bit for bit."""

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from unseg_bench.blocks.heap import held_heap
from unseg_bench.blocks.precision import Precision, autocast
from unseg_bench.blocks.threads import use_threads
from unseg_bench.cpus import usable_cpus
from unseg_bench.data.atomic import whole_file
from unseg_bench.errors import RunError, WeightsError
from unseg_bench.plugins.context import Work

Batch: TypeAlias = tuple[Tensor, ...]
"""What one step learns from: tensors whose first axis is the sample, e.g. (images, labels)."""

_AHEAD = 6
_AT_LEAST_S = 30.0
_SHARE_OF_TIME = 0.01
_BYTES_AN_HOUR = 4e9
"""A checkpoint is written no more often than every 30 s, for 1 % of the time, and 4 GB an hour: a ResNet-50 with Adam
has 307 MB, which every 30 s would be 0.4 TB in a training of 11 hours."""


@dataclass(slots=True)
class TrainingLog:
    """What a training did: the loss of each step, and the seconds that this process spent (resumed part only).

    `scores`: (steps done, score) of each validation, in order; empty where there was none.
    """

    losses: list[float] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def kept_step(self) -> int:
        """How many steps the weights that were kept have done: those of the (first) best score, else all."""
        return max(self.scores, key=lambda one: one[1])[0] if self.scores else len(self.losses)

    @property
    def final_loss(self) -> float:
        """Mean loss of the last tenth of the steps."""
        tail = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(tail) / len(tail)


@dataclass(frozen=True, slots=True)
class Validation:
    """Chooses the weights that are kept: `score(network)` in evaluation mode, higher is better, first of equals.

    Asked after every `every` steps and after the last one. It must be a pure function of the weights.
    """

    score: Callable[[nn.Module], float]
    every: int

    def is_due(self, done: int, steps: int) -> bool:
        """Whether the network is to be scored after `done` of `steps` steps."""
        return done % self.every == 0 or done == steps


def step_seed(seed: int, step: int) -> int:
    """Return a 63-bit seed that depends on (seed, step) only; neighbouring pairs give unrelated seeds."""
    return int.from_bytes(hashlib.sha256(f"{seed} {step}".encode()).digest()[:8], "big") >> 1


def step_generator(seed: int, step: int) -> np.random.Generator:
    """Return numpy's generator of (seed, step): the only randomness that `batch_for(step)` may use."""
    return np.random.default_rng(step_seed(seed, step))


def steps_an_epoch(samples: int, batch: int) -> int:
    """Return the whole batches of an epoch; at least one, of fewer samples."""
    return max(1, samples // batch)


@lru_cache(maxsize=4)
def epoch_order(seed: int, epoch: int, samples: int) -> NDArray[np.intp]:
    """Return the samples (N,) in the order of an epoch, read-only; every epoch has another one."""
    order = step_generator(seed, -1 - epoch).permutation(samples)
    order.flags.writeable = False
    return order


def samples_of(step: int, seed: int, samples: int, batch: int) -> NDArray[np.intp]:
    """Return which samples a step takes: each at most once an epoch, an incomplete last batch is left out."""
    epoch, place = divmod(step, steps_an_epoch(samples, batch))
    return epoch_order(seed, epoch, samples)[place * batch : (place + 1) * batch]


@contextmanager
def seeded_torch(seed: int) -> Generator[None]:
    """Make what is drawn from torch's global generators inside reproducible (initial weights, dropout).

    On leaving, the generators are as they were before: the CPU's, and those of all GPUs once this process uses one.
    """
    # Named, since torch warns at length on a machine with several GPUs where none is; it touches none that is not used.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()):
        torch.manual_seed(seed)
        yield


def polynomial_decay(initial: float, steps: int, power: float = 0.9) -> Callable[[int], float]:
    """Return the learning rate of each step: initial * (1 - step / steps) ** power."""
    return lambda step: initial * (1.0 - step / steps) ** power


def one_cycle(peak: float, steps: int, warm_up_share: float = 0.1) -> Callable[[int], float]:
    """Return the learning rate of each step: up linearly in the first `warm_up_share`, then down by a half cosine."""
    warm = max(1, round(steps * warm_up_share))

    def rate(step: int) -> float:
        if step < warm:
            return peak * (step + 1) / warm
        return peak * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return rate


def schedule_of(
    name: Literal["constant", "polynomial", "one-cycle"], rate: float, steps: int
) -> Callable[[int], float] | None:
    """Return the learning rate of each step, by name; None for a constant one, which the optimiser has already."""
    if name == "constant":
        return None
    return (polynomial_decay if name == "polynomial" else one_cycle)(rate, steps)


def fit_network(
    network: nn.Module,
    *,
    batch_for: Callable[[int], Batch],
    loss_of: Callable[[nn.Module, Batch], Tensor],
    optimizer_of: Callable[[Iterator[nn.Parameter]], Optimizer],
    steps: int,
    work: Work,
    learning_rate_of: Callable[[int], float] | None = None,
    name: str = "network",
    checkpoint_every_s: float | None = None,
    precision: Precision = "float32",
    validation: Validation | None = None,
) -> TrainingLog:
    """Train `network` in place for `steps` steps on `work.device`; it is left in evaluation mode.

    `batch_for(step)` must be a pure function of the step (draw from `step_generator(seed, step)`); it runs in
    background threads, one or a few steps ahead. Torch's global generator is seeded anew at each step, so dropout is a
    function of the step too. Hence a training that was killed goes on from its last checkpoint (`work.scratch /
    name.pt`) and ends with the same weights, bit for bit on a CPU. Parameters that `requires_grad=False` freezes stay
    as they are. `learning_rate_of` sets the rate of each group of the optimiser, times the group's own 'rate_factor' if
    it has one.
    `checkpoint_every_s` None: as often as it costs little (1 % of the time, 4 GB an hour), at most every 30 s.
    The weights that are left are the last ones, or those that `validation` scored best (`TrainingLog.kept_step`).

    Raises RunError naming `name` and the step when the loss is not finite.
    """
    use_threads()
    network.to(work.device)
    network.train()
    state = _State(network, optimizer_of(p for p in network.parameters() if p.requires_grad))
    checkpoint = _Checkpoint(work.scratch / f"{name}.pt", steps, checkpoint_every_s)
    first = checkpoint.load(state)
    losses = _Losses(state.log.losses, name, work, steps)
    started = time.monotonic()
    with seeded_torch(work.seed), held_heap():
        for step, batch in _batches_ahead(batch_for, first, steps, work.device):
            torch.manual_seed(step_seed(work.seed, step))
            if learning_rate_of is not None:
                _set_learning_rate(state.optimizer, learning_rate_of(step))
            moved = tuple(tensor.to(work.device, non_blocking=True) for tensor in batch)
            losses.add(_update(network, moved, loss_of, state.optimizer, autocast(precision, work.device)))
            if validation is not None and validation.is_due(step + 1, steps):
                losses.settle()
                state.judge(step + 1, validation)
            if checkpoint.is_due(step + 1):
                losses.settle()
                checkpoint.write(step + 1, state)
    state.log.seconds = time.monotonic() - started
    if state.best is not None:
        network.load_state_dict(state.best)
    network.eval()
    return state.log


@dataclass(slots=True)
class _State:
    """All that the next step and the result depend on. `best`: the weights of the best score so far."""

    network: nn.Module
    optimizer: Optimizer
    log: TrainingLog = field(default_factory=TrainingLog)
    best: dict[str, Tensor] | None = None

    def judge(self, done: int, validation: Validation) -> None:
        """Score the network after `done` steps and keep its weights if none were better."""
        self.network.eval()
        with torch.no_grad():
            self.log.scores.append((done, validation.score(self.network)))
        self.network.train()
        if self.log.kept_step == done:
            self.best = deepcopy(dict(self.network.state_dict()))


class _Losses:
    """Reads losses off the device: on a GPU one step late, so that the next step is under way before this one ends."""

    def __init__(self, read: list[float], name: str, work: Work, steps: int) -> None:
        self._read, self._name, self._work, self._steps = read, name, work, steps
        self._late = 0 if torch.device(work.device).type == "cpu" else 1
        self._waiting: deque[Tensor] = deque()

    def add(self, loss: Tensor) -> None:
        """Take a step's loss, and read those that are ready."""
        self._waiting.append(loss)
        self._read_until(self._late)

    def settle(self) -> None:
        """Read all."""
        self._read_until(0)

    def _read_until(self, left: int) -> None:
        while len(self._waiting) > left:
            self._read.append(float(self._waiting.popleft()))
            _require_finite(self._read[-1], self._name, len(self._read) - 1)
            self._work.progress(len(self._read), self._steps, f"loss {self._read[-1]:.3f}")


def _batches_ahead(
    batch_for: Callable[[int], Batch], first: int, steps: int, device: str
) -> Iterator[tuple[int, Batch]]:
    """Yield (step, batch) in order; background threads make the next ones meanwhile, where a GPU can fetch them.

    One batch ahead on a CPU, which has work enough; for a GPU as many as there are spare cores, up to `_AHEAD`.
    """
    pinned = torch.device(device).type == "cuda"
    ahead = min(_AHEAD, max(1, usable_cpus() - 1)) if pinned else 1

    def make(step: int) -> Batch:
        batch = batch_for(step)
        return tuple(tensor.pin_memory() for tensor in batch) if pinned else batch

    with ThreadPoolExecutor(max_workers=ahead, thread_name_prefix="batches") as loader:
        upcoming = deque(loader.submit(make, step) for step in range(first, min(first + ahead, steps)))
        for step in range(first, steps):
            batch = upcoming.popleft().result()
            if step + ahead < steps:
                upcoming.append(loader.submit(make, step + ahead))
            yield step, batch


def _update(
    network: nn.Module,
    batch: Batch,
    loss_of: Callable[[nn.Module, Batch], Tensor],
    optimizer: Optimizer,
    precision: AbstractContextManager[Any],
) -> Tensor:
    """Make one step of the optimiser and return the loss before it, on the device."""
    optimizer.zero_grad(set_to_none=True)
    with precision:
        loss = loss_of(network, batch)
    loss.backward()
    optimizer.step()
    return loss.detach()


def _require_finite(loss: float, name: str, step: int) -> None:
    if not math.isfinite(loss):
        raise RunError(
            f"training of '{name}' broke down at step {step + 1}: the loss is {loss}. "
            "Lower the learning rate, or look for images with values that are not finite."
        )


def _set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)


def interval_s(seconds: float, size: int) -> float:
    """Return how long to wait after a checkpoint that took so many seconds to write and has so many bytes."""
    return max(_AT_LEAST_S, seconds / _SHARE_OF_TIME, 3600 * size / _BYTES_AN_HOUR)


class _Checkpoint:
    """One file with everything that the next step depends on, rewritten at the end and every `every_s` seconds.

    None: at first after `_AT_LEAST_S`, then as `interval_s` says by what the last one cost.
    """

    def __init__(self, path: Path, steps: int, every_s: float | None) -> None:
        self._path, self._steps, self._follows_cost = path, steps, every_s is None
        self._every_s = _AT_LEAST_S if every_s is None else every_s
        self._written = time.monotonic()

    def is_due(self, done: int) -> bool:
        """Whether it is time to write after `done` steps."""
        return done == self._steps or time.monotonic() - self._written >= self._every_s

    def write(self, done: int, state: _State) -> None:
        """Write the state after `done` steps."""
        values = {
            "done": done,
            "steps": self._steps,
            "network": state.network.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "losses": list(state.log.losses),
            "scores": [list(one) for one in state.log.scores],
            "best": state.best,
        }
        started = time.monotonic()
        with whole_file(self._path) as temporary:
            torch.save(values, temporary)
        self._written = time.monotonic()
        if self._follows_cost:
            self._every_s = interval_s(self._written - started, self._path.stat().st_size)

    def load(self, state: _State) -> int:
        """Put the last state that was written into `state`; return how many steps it had done (0: none written)."""
        if not self._path.exists():
            return 0
        values = torch.load(self._path, map_location="cpu", weights_only=True)
        if values["steps"] != self._steps:
            raise RunError(
                f"{self._path} is a checkpoint of a training of {values['steps']} steps, not {self._steps}: "
                "two trainings of one stage need different names"
            )
        state.network.load_state_dict(values["network"])
        state.optimizer.load_state_dict(values["optimizer"])
        state.log.losses.extend(values["losses"])
        state.log.scores.extend((int(done), float(score)) for done, score in values["scores"])
        state.best = values["best"]
        return int(values["done"])


def save_network(path: Path, network: nn.Module) -> None:
    """Write the network's parameters and buffers to `path` as safetensors, whole or not at all."""
    from safetensors.torch import save_model

    with whole_file(path) as temporary:
        save_model(network, str(temporary))


def load_network(path: Path, network: nn.Module) -> None:
    """Fill `network` from the safetensors file `path`; raises WeightsError naming the file when it does not fit."""
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    use_threads()
    try:
        load_model(network, path)
    except (RuntimeError, SafetensorError, FileNotFoundError) as error:
        raise WeightsError(
            f"{path} does not hold the weights of this {type(network).__name__}: {error}. "
            "Check that its options are those that it was trained with."
        ) from error
