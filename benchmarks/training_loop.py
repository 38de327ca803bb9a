"""Seconds of a training step inside the loop, with batches made from volumes on disk, against the bare step.

    python benchmarks/training_loop.py
    python benchmarks/training_loop.py amcons gradcamcons implicit-field sim2real synthetic
    python benchmarks/training_loop.py --compile small-resnet
    python benchmarks/training_loop.py --device cuda --precision mixed unet-paper nnunet

The bare step is the same network, loss and optimiser on a batch that is already there. Both take turns, round by round;
printed are medians over the rounds. 'cpu' is processor time, which neighbours on a busy machine do not add to. Both
keep freed memory (`blocks.heap`), so that no luck of the allocator is compared.

--compile: 'in loop' is the bare step again, through torch.compile (compiled before the clock starts). --precision: of
all steps; 'mixed' is bfloat16 on a GPU that has it in hardware, and float32 elsewhere, which is then said.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from unseg_bench_methods.constrained_vae.amcons import Amcons
from unseg_bench_methods.constrained_vae.gradcamcons import Gradcamcons
from unseg_bench_methods.constrained_vae.options import AmconsOptions, GradcamconsOptions
from unseg_bench_methods.implicit_field.classes import Scan, class_count
from unseg_bench_methods.implicit_field.cube import Cube
from unseg_bench_methods.implicit_field.network import AutoDecoder, Field
from unseg_bench_methods.implicit_field.options import ImplicitFieldOptions
from unseg_bench_methods.implicit_field.points import ScanSet
from unseg_bench_methods.implicit_field.presets import DEMO as FIELD_DEMO
from unseg_bench_methods.implicit_field.training import batches as field_batches
from unseg_bench_methods.implicit_field.training import loss_on, optimizer
from unseg_bench_methods.sim2real.batches import SimulatedBatches
from unseg_bench_methods.sim2real.network import Targets, build_network, restoration_loss
from unseg_bench_methods.sim2real.options import Sim2RealOptions
from unseg_bench_methods.sim2real.presets import DEMO as SIM2REAL_DEMO
from unseg_bench_methods.sim2real.samples import source_of
from unseg_bench_methods.sim2real.volumes import stretch
from unseg_bench_methods.synthetic.learning import AveragingAdamW
from unseg_bench_methods.synthetic.options import NETWORK as SYNTHETIC
from unseg_bench_methods.synthetic.variation import VariedHeads

from unseg_bench.blocks.classifier import ClassifierName, build_classifier, network_input
from unseg_bench.blocks.constrained_vae.network import ConstrainedVae
from unseg_bench.blocks.constrained_vae.options import FitOptions
from unseg_bench.blocks.constrained_vae.training import batches as vae_batches
from unseg_bench.blocks.constrained_vae.training import loss_of as vae_loss_of
from unseg_bench.blocks.heap import held_heap
from unseg_bench.blocks.patches import PatchSampler
from unseg_bench.blocks.precision import Precision, autocast, has_bfloat16
from unseg_bench.blocks.threads import use_threads
from unseg_bench.blocks.training import (
    Batch,
    fit_network,
    seeded_torch,
    step_generator,
)
from unseg_bench.blocks.unet.networks import deeply_supervised, segmentation_loss
from unseg_bench.blocks.unet.options import DEMO_UNET, NNUNET, UNetOptions
from unseg_bench.blocks.unet.training import build_unet
from unseg_bench.blocks.working_cases import LabelledCase, WorkingCases
from unseg_bench.data.volume import Volume
from unseg_bench.plugins.context import Artifact

OptimizerOf = Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
SLICES, CASES, HEAD = 2000, 4, (140, 170, 140)
WARM = 2


@dataclass(frozen=True)
class Task:
    """What is trained, and on what. `steps`: of one round."""

    network_of: Callable[[], nn.Module]
    batch_for: Callable[[int], Batch]
    loss_of: Callable[[nn.Module, Batch], Tensor]
    optimizer_for: Callable[[nn.Module], OptimizerOf]
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

    return Task(lambda: build_classifier(name, width=8), batch_for, loss_of, adam(1e-4), steps)


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
        lambda _: lambda parameters: torch.optim.SGD(parameters, options.learning_rate, momentum=options.momentum),
        steps,
        options.precision,
    )


def adam(rate: float) -> Callable[[nn.Module], OptimizerOf]:
    """Adam of all parameters."""
    return lambda _: lambda parameters: torch.optim.Adam(parameters, rate)


def constrained_vae(method: type[Amcons | Gradcamcons], steps: int, folder: Path) -> Task:
    """The VAE of a method's demo, its constraint at work from the first step, on discs with noise."""
    options = method.Options.model_validate(method.presets["demo"])
    assert isinstance(options, AmconsOptions | GradcamconsOptions)
    size = options.slices.size
    y, x = np.ogrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    pictures = np.lib.format.open_memmap(folder / f"{method.name}.npy", "w+", np.uint8, (SLICES, size, size))
    pictures[:] = np.random.default_rng(0).integers(1, 256, (SLICES, size, size)) * (x**2 + y**2 < 0.5)
    fit = FitOptions(**{name: getattr(options, name) for name in FitOptions.model_fields})
    return Task(
        lambda: ConstrainedVae(options.network, size),
        vae_batches(1, fit, pictures, start=0),
        vae_loss_of(options.map, options.loss),
        adam(options.training.learning_rate),
        steps,
        options.training.precision,
    )


def implicit_field(steps: int, device: str) -> Task:
    """The field of the demo, on balls of classes by chance."""
    options = ImplicitFieldOptions.model_validate(FIELD_DEMO)
    side = options.scan.side
    part = slice(0, side)
    z, y, x = np.ogrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j, -1 : 1 : side * 1j]
    cube, brain = Cube(side, 4.0, (part,) * 3, (part,) * 3), x**2 + y**2 + z**2 < 0.8
    scans = ScanSet(
        [Scan(cube, np.random.default_rng(n).integers(0, 10, brain.shape).astype(np.uint8), brain) for n in range(24)],
        device,
        options.training.cube_share,
    )
    classes = class_count(np.zeros(options.scan.classes - 1, np.float32), options.scan)
    octaves = options.network.octaves_for(side)

    def optimizer_for(network: nn.Module) -> OptimizerOf:
        assert isinstance(network, AutoDecoder)
        return optimizer(network, options.training)

    return Task(
        lambda: AutoDecoder(Field(options.network, octaves, classes), len(scans)),
        field_batches(options.training, len(scans), steps, 1),
        loss_on(scans, options.training.points),
        optimizer_for,
        steps,
        options.network.precision,
    )


def sim2real(steps: int, cases: list[LabelledCase], folder: Path) -> Task:
    """Stage I of the demo: simulated tumours in the cases' brains, made for each step."""
    options = Sim2RealOptions.model_validate(SIM2REAL_DEMO)
    folder.mkdir()
    spacings: dict[str, tuple[float, float, float]] = {}
    for number, case in enumerate(cases):
        brain = stretch(Volume(str(number), case.image, case.brain, case.spacing_mm, str(number)), options.grid.size)
        for name, array in {"image": brain.image, "brain": brain.brain, "normal": brain.normal}.items():
            np.save(folder / f"{number}.{name}.npy", array)
        spacings[str(number)] = brain.spacing_mm
    (folder / "brains.json").write_text(json.dumps(spacings))
    brains = Artifact("sim2real-volumes", folder, "")
    source = source_of(options.simulation, {"normals": brains, "donors": brains}, held_out=False)

    def loss_of(network: nn.Module, batch: Batch) -> Tensor:
        images, layers, mask, counted = batch
        return restoration_loss(network(images), Targets(layers, mask, counted))

    training = options.training
    return Task(
        lambda: build_network(options.network),
        SimulatedBatches(source, training.batch, 1, training.scale),
        loss_of,
        adam(training.learning_rate),
        steps,
        training.precision,
    )


def synthetic(steps: int, cases: list[LabelledCase]) -> Task:
    """One of the pair, on the cases at 2 mm, varied for each step."""
    coarse = [
        LabelledCase(case.image[::2, ::2, ::2], case.label[::2, ::2, ::2], case.brain[::2, ::2, ::2], (2.0, 2.0, 2.0))
        for case in cases
    ]
    measure = segmentation_loss(SYNTHETIC.loss)
    return Task(
        lambda: build_unet(SYNTHETIC, 1),
        VariedHeads(coarse, SYNTHETIC.patch, SYNTHETIC.batch, 1),
        lambda network, batch: measure(network(batch[0]), batch[1].long()),
        lambda _: lambda parameters: AveragingAdamW(parameters, lr=8e-3),
        steps,
        SYNTHETIC.precision,
    )


def inside(task: Task, device: str) -> tuple[float, float]:
    """(Wall, processor) seconds of a step of `fit_network`."""
    with tempfile.TemporaryDirectory() as folder:
        clock, network = Clock(Path(folder), device), task.network_of()
        fit_network(
            network,
            batch_for=task.batch_for,
            loss_of=task.loss_of,
            optimizer_of=task.optimizer_for(network),
            steps=task.steps + WARM,
            work=clock,
            precision=task.precision,
        )
    return clock.seconds()


def bare(task: Task, device: str, *, compiled: bool = False) -> tuple[float, float]:
    """(Wall, processor) seconds of a step on a batch that is there; network and loss as they are, or compiled."""
    network = task.network_of().to(device).train()
    optimizer = task.optimizer_for(network)(network.parameters())
    loss_of = torch.compile(task.loss_of) if compiled else task.loss_of
    batch = tuple(tensor.to(device) for tensor in task.batch_for(0))
    clock = Clock(Path(), device)
    with seeded_torch(1), held_heap():
        for _ in range(task.steps + WARM):
            optimizer.zero_grad(set_to_none=True)
            with autocast(task.precision, device):
                loss = loss_of(network, batch)
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


def make_tasks(folder: Path, device: str) -> dict[str, Callable[[], Task]]:
    """Name -> task; 'unet-paper' and 'nnunet' are for a GPU."""
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
        "amcons": lambda: constrained_vae(Amcons, 20, folder),
        "gradcamcons": lambda: constrained_vae(Gradcamcons, 20, folder),
        "implicit-field": lambda: implicit_field(20, device),
        "sim2real": lambda: sim2real(6, make_cases(folder), folder / "sim2real"),
        "synthetic": lambda: synthetic(6, make_cases(folder)),
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
    parser.add_argument("--compile", action="store_true", help="compare with torch.compile instead of the loop")
    parser.add_argument("--precision", choices=("float32", "mixed"), help="of all tasks; by default their own")
    arguments = parser.parse_args()
    device, other = arguments.device, "compiled" if arguments.compile else "in loop"
    print(f"{use_threads()} threads, {device}")
    if not has_bfloat16(device):
        print("mixed precision is off: bfloat16 is for GPUs that have it in hardware")
    print(f"{'ms a step':16}{'bare':>9}{other:>9}{'ratio':>7}{'cpu bare':>10}{other:>9}{'ratio':>7}{'batch':>8}")
    with tempfile.TemporaryDirectory(prefix="ubench-loop-") as folder:
        tasks = make_tasks(Path(folder), device)
        for name in arguments.tasks:
            task = tasks[name]()
            if arguments.precision:
                task = replace(task, precision=arguments.precision)
            rounds = [
                (bare(task, device), bare(task, device, compiled=True) if arguments.compile else inside(task, device))
                for _ in range(arguments.rounds)
            ]
            print(f"{name:16}{columns(rounds)}{batch_ms(task):8.1f}", flush=True)


def batch_ms(task: Task) -> float:
    """Processor time that one batch takes, in ms."""
    started = time.process_time()
    for step in range(10):
        task.batch_for(step)
    return (time.process_time() - started) * 100


def columns(rounds: list[tuple[tuple[float, float], tuple[float, float]]]) -> str:
    """Medians of (wall, processor) seconds before and after, and of their ratio."""
    line = ""
    for kind, widths in enumerate(((9, 9), (10, 9))):
        before, after = (median(one[place][kind] for one in rounds) * 1e3 for place in (0, 1))
        ratio = median(one[1][kind] / one[0][kind] for one in rounds)
        line += f"{before:{widths[0]}.1f}{after:{widths[1]}.1f}{ratio:7.2f}"
    return line


if __name__ == "__main__":
    main()
