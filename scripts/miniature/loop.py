"""What both training loops share: the learning rate, the moving average of the weights, the checkpoint."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Cycle:
    """One rise and fall of the learning rate, up to step `until`: level at `peak`, from `fall_from` down to zero."""

    until: int
    fall_from: int
    peak: float


def learning_rate(step: int, cycles: tuple[Cycle, ...]) -> float:
    """The rate of a step; each cycle begins with a linear rise over 50 steps."""
    begin = 0
    for cycle in cycles:
        if step < cycle.until:
            fall = (cycle.until - step) / (cycle.until - cycle.fall_from)
            return cycle.peak * min(1.0, (step - begin + 1) / 50, fall)
        begin = cycle.until
    return 0.0


class Average:
    """Exponential moving average of a model's parameters and buffers: what is shipped."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = model
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def update(self, step: int) -> None:
        """Take the model's weights in; early steps are forgotten faster."""
        decay = min(self.decay, (step + 1) / (step + 10))
        for name, value in self.model.state_dict().items():
            kept = self.weights[name]
            if kept.is_floating_point():
                kept.lerp_(value.detach(), 1 - decay)
            else:
                kept.copy_(value)


class Checkpoint:
    """The state of a training run in one file, whole or not there."""

    def __init__(self, path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, average: Average) -> None:
        self.path, self.model, self.optimiser, self.average = path, model, optimiser, average

    def load(self) -> int:
        """Bring the state back and return the number of steps done; 0 where there is no checkpoint."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.weights = state["average"]
        return int(state["step"])

    def save(self, step: int) -> None:
        """Write the state after `step` steps."""
        state: dict[str, int | dict[str, Tensor] | dict[str, object]] = {
            "step": step,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.weights,
        }
        beside = self.path.with_suffix(".writing")
        torch.save(state, beside)
        beside.replace(self.path)
