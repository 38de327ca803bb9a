"""Training of one half of the pair; what is kept is the moving average of its weights."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unseg_bench import Work
from unseg_bench.blocks.training import Batch, TrainingLog, fit_network, one_cycle
from unseg_bench.blocks.unet.options import UNetOptions

from .variation import UNSURE

_AVERAGE = "average"
_DECAY = 0.99


class AveragingAdamW(torch.optim.AdamW):
    """AdamW that keeps each weight's exponential moving average beside its moments, so checkpoints hold it too."""

    def step(self, closure: Any = None) -> Any:  # noqa: ANN401 - torch's signature
        """Make a step, then take the weights into their average; early steps are forgotten faster."""
        result = super().step(closure)
        for parameter in self._parameters():
            state = self.state[parameter]
            done = int(state["step"])
            average = state.setdefault(_AVERAGE, parameter.detach().clone())
            average.lerp_(parameter.detach(), 1 - min(_DECAY, done / (done + 9)))
        return result

    def load_averages(self) -> None:
        """Replace the weights by their averages."""
        for parameter in self._parameters():
            parameter.data.copy_(self.state[parameter][_AVERAGE])

    def _parameters(self) -> Iterator[nn.Parameter]:
        for group in self.param_groups:
            yield from group["params"]


def train_half(
    work: Work,
    options: UNetOptions,
    network: nn.Module,
    batch_for: Callable[[int], Batch],
    measure: Callable[[Tensor, Tensor], Tensor],
    name: str,
) -> TrainingLog:
    """Train `network` in place for `options.steps` steps; it is left with its averaged weights. Resumes by `name`.

    `measure`: the loss of (logits (B, 2, X, Y, Z), labels (B, X, Y, Z) int64).
    """
    kept: list[AveragingAdamW] = []

    def optimizer_of(parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
        kept.append(AveragingAdamW(parameters, lr=options.learning_rate, weight_decay=options.weight_decay))
        return kept[0]

    def loss_of(module: nn.Module, batch: Batch) -> Tensor:
        return measure(module(batch[0]), batch[1].long())

    steps = options.steps_for(0)
    log = fit_network(
        network,
        batch_for=batch_for,
        loss_of=loss_of,
        optimizer_of=optimizer_of,
        steps=steps,
        learning_rate_of=one_cycle(options.learning_rate, steps),
        work=work,
        name=name,
        precision=options.precision,
    )
    kept[0].load_averages()
    return log


def loss_of_sure_voxels(logits: Tensor, labels: Tensor) -> Tensor:
    """Soft Dice of the tumour over the batch plus cross-entropy, where `labels` is not UNSURE."""
    sure = (labels != UNSURE).float()
    tumour = (labels == 1).float()
    found = logits.softmax(dim=1)[:, 1] * sure
    dice = (2 * (found * tumour).sum() + 1e-5) / (found.sum() + tumour.sum() + 1e-5)
    return 1 - dice + F.cross_entropy(logits, labels, ignore_index=UNSURE)
