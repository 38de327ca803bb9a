"""Seconds of a training step inside the loop, with batches made from volumes on disk, against the bare step.

    python benchmarks/training_loop.py
    python benchmarks/training_loop.py --device cuda unet-paper nnunet

The bare step is the same network, loss and optimiser on a batch that is already there. Both take turns, round by round;
printed are medians over the rounds. 'cpu' is processor time, which neighbours on a busy machine do not add to.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unseg_bench.blocks.classifier import ClassifierName, build_classifier, network_input
from unseg_bench.blocks.patches import PatchSampler
from unseg_bench.blocks.training import (
    Batch,
    Precision,
    autocast,
    fit_network,
    seeded_torch,
    step_generator,
    use_threads,
)
from unseg_bench.blocks.unet3d import deeply_supervised, segmentation_loss
from unseg_bench.blocks.unet_options import DEMO_UNET, NNUNET, UNetOptions
from unseg_bench.blocks.unet_training import build_unet
from unseg_bench.blocks.working_cases import LabelledCase, WorkingCases

SLICES, CASES, HEAD = 2000, 4, (140, 170, 140)
WARM = 2


@dataclass(frozen=True)
class Task:
    """What is trained, and on what. `steps`: of one round."""

    network_of: Callable[[], nn.Module]
    batch_for: Callable[[int], Batch]
    loss_of: Callable[[nn.Module, Batch], Tensor]
    optimizer_of: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
    steps: int
    precision: Precision = "float32"


@dataclass
class Clock:
    """The work of a training that notes when each step was done: (wall, processor) seconds."""

    scratch: Path
    device: str
    folder: Path = Path()
    seed: int = 1
    ticks: list[tuple[float, float]] = field(default_factory=list)

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Note the time."""
        self.ticks.append((time.perf_counter(), time.process_time()))

    def seconds(self) -> tuple[float, float]:
        """(Wall, processor) seconds a step, after the first ones."""
        (wall, processor), (last_wall, last_processor) = self.ticks[WARM - 1], self.ticks[-1]
        steps = len(self.ticks) - WARM
        return (last_wall - wall) / steps, (last_processor - processor) / steps


def slice_classifier(name: ClassifierName, size: int, batch: int, steps: int, folder: Path) -> Task:
    """A slice classifier on pictures from a memory map, drawn as CLISC draws them."""
    pictures = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (SLICES, size, size))
    pictures[:] = np.random.default_rng(0).integers(0, 256, (1, size, size))
    tumour = np.arange(SLICES) % 2
    an_epoch = SLICES // batch

    def batch_for(step: int) -> Batch:
        epoch, position = divmod(step, an_epoch)
        order = step_generator(1, -1 - epoch).permutation(SLICES)
        chosen = order[position * batch : (position + 1) * batch]
        mirrored = step_generator(1, step).random(len(chosen)) < 0.5
        shown = np.where(mirrored[:, None, None], pictures[chosen][:, :, ::-1], pictures[chosen])
        return torch.from_numpy(shown), torch.from_numpy(tumour[chosen].astype(np.int64))

    def loss_of(network: nn.Module, batch: Batch) -> Tensor:
        return functional.cross_entropy(network(network_input(batch[0].float())), batch[1])

    return Task(lambda: build_classifier(name, width=8), batch_for, loss_of, lambda p: torch.optim.Adam(p, 1e-4), steps)


def unet(options: UNetOptions, steps: int, cases: list[LabelledCase], folder: Path) -> Task:
    """A U-Net on patches of cases on disk."""
    sampler = PatchSampler(
        WorkingCases(cases, options.spacing_mm, folder),
        options.patch,
        options.batch,
        1,
        foreground_share=options.foreground_share,
        orientation=options.orientation,
        augmentation=options.augmentation,
    )
    measure = segmentation_loss(options.loss)
    measure = deeply_supervised(measure) if options.deep_supervision else measure
    return Task(
        lambda: build_unet(options, 1),
        sampler,
        lambda network, batch: measure(network(batch[0]), batch[1].long()),
        lambda parameters: torch.optim.SGD(parameters, options.learning_rate, momentum=options.momentum),
        steps,
        options.precision,
    )


def inside(task: Task, device: str) -> tuple[float, float]:
    """(Wall, processor) seconds of a step of `fit_network`."""
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(Path(folder), device)
        fit_network(
            task.network_of(),
            batch_for=task.batch_for,
            loss_of=task.loss_of,
            optimizer_of=task.optimizer_of,
            steps=task.steps + WARM,
            work=clock,
            precision=task.precision,
        )
    return clock.seconds()


def bare(task: Task, device: str) -> tuple[float, float]:
    """(Wall, processor) seconds of a step on a batch that is there."""
    network = task.network_of().to(device).train()
    optimizer = task.optimizer_of(network.parameters())
    batch = tuple(tensor.to(device) for tensor in task.batch_for(0))
    clock = Clock(Path(), device)
    with seeded_torch(1):
        for _ in range(task.steps + WARM):
            optimizer.zero_grad(set_to_none=True)
            with autocast(task.precision, device):
                loss = task.loss_of(network, batch)
            loss.backward()
            optimizer.step()
            loss.item()
            clock.progress(0, 0)
    return clock.seconds()


def make_cases(folder: Path) -> list[LabelledCase]:
    """Noise in ellipsoids of a real head's size at 1 mm, with a bright ball in each, as memory maps."""
    x, y, z = np.ogrid[-1 : 1 : HEAD[0] * 1j, -1 : 1 : HEAD[1] * 1j, -1 : 1 : HEAD[2] * 1j]
    brain = x**2 + y**2 + z**2 < 0.9
    label = (x - 0.4) ** 2 + y**2 + z**2 < 0.06
    cases: list[LabelledCase] = []
    for number in range(CASES):
        noise = np.random.default_rng(number).standard_normal(HEAD, dtype=np.float32)
        arrays: list[np.ndarray] = []
        for part, array in (("image", np.where(brain, noise + 2 * label, 0)), ("label", label), ("brain", brain)):
            np.save(folder / f"{number}-{part}.npy", array.astype(np.float32 if part == "image" else np.bool_))
            arrays.append(np.load(folder / f"{number}-{part}.npy", mmap_mode="r").view(np.ndarray))
        cases.append(LabelledCase(*arrays, spacing_mm=(1.0, 1.0, 1.0)))
    return cases


def make_tasks(folder: Path) -> dict[str, Callable[[], Task]]:
    """Name -> task; those after 'nnunet-small' are for a GPU."""
    demo = UNetOptions(**DEMO_UNET)
    nnunet = UNetOptions(**NNUNET)
    small = nnunet.model_copy(update={"channels": (8, 16, 32, 64), "patch": (64, 80, 64), "spacing_mm": 2.0})
    sizes = {
        "unet-demo": (demo, 8),
        "nnunet-small": (small, 5),
        "unet-paper": (UNetOptions(), 40),
        "nnunet": (nnunet, 40),
    }
    return {
        "resnet50": lambda: slice_classifier("resnet50", 224, 8, 4, folder),
        "small-resnet": lambda: slice_classifier("small-resnet", 96, 32, 20, folder),
        **{
            name: lambda name=name, size=size: unet(*size, make_cases(folder), folder / name)
            for name, size in sizes.items()
        },
    }


def main() -> None:
    """Print one line a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=["resnet50", "small-resnet", "unet-demo", "nnunet-small"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{use_threads()} threads, {arguments.device}")
    print(
        f"{'ms a step':16}{'bare':>9}{'in loop':>9}{'ratio':>7}{'cpu bare':>10}{'in loop':>9}{'ratio':>7}{'batch':>8}"
    )
    with tempfile.TemporaryDirectory(prefix="ubench-loop-") as folder:
        tasks = make_tasks(Path(folder))
        for name in arguments.tasks:
            task = tasks[name]()
            started = time.process_time()
            for step in range(10):
                task.batch_for(step)
            batch_ms = (time.process_time() - started) * 100
            rounds = [(bare(task, arguments.device), inside(task, arguments.device)) for _ in range(arguments.rounds)]
            line = f"{name:16}"
            for kind, widths in enumerate(((9, 9), (10, 9))):
                before, after = (median(one[place][kind] for one in rounds) * 1e3 for place in (0, 1))
                ratio = median(one[1][kind] / one[0][kind] for one in rounds)
                line += f"{before:{widths[0]}.1f}{after:{widths[1]}.1f}{ratio:7.2f}"
            print(f"{line}{batch_ms:8.1f}", flush=True)


if __name__ == "__main__":
    main()
