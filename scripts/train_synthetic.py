"""Train the two networks of the method `synthetic` from phantoms alone; their weights ship with unseg-bench.

    python scripts/train_synthetic.py            # both halves, side by side, one thread each
    python scripts/train_synthetic.py first      # only one of them; `export` then puts both into the package

Heads are made first and kept in the work folder; checkpoints every 30 seconds let a stopped run go on, with the same
bits on the same kind of CPU with the same version of torch. The results (weights, settings with their digest, log) go
to `unseg_bench/blocks/synthetic/`. What is shipped is the moving average of the weights after the last step: no step is
chosen by looking at any image of a patient.
"""

import argparse
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from synthetic.export import export
from synthetic.run import ScriptWork, StoredHeads
from torch import nn
from unseg_bench_methods.synthetic.learning import train_half
from unseg_bench_methods.synthetic.options import NETWORK
from unseg_bench_methods.synthetic.pair import HALVES
from unseg_bench_methods.synthetic.variation import VariedHeads

from unseg_bench.blocks.unet.networks import segmentation_loss
from unseg_bench.blocks.unet.training import build_unet


@dataclass(frozen=True)
class Cycle:
    """One rise and fall of the learning rate, which begins with the averaged weights of the one before."""

    steps: int
    learning_rate: float
    heads: int


PACKAGE = Path(__file__).parents[1] / "unseg_bench" / "blocks" / "synthetic"
SEEDS = {"first": 6101, "second": 6202}
CYCLES = (Cycle(steps=320, learning_rate=8e-3, heads=160), Cycle(steps=180, learning_rate=5e-3, heads=160))


def main() -> None:
    """Train what was asked for; with both halves there, write them into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("both", *HALVES, "export"), nargs="?", default="both")
    parser.add_argument("--work", type=Path, default=Path("synthetic_work"), help="heads and checkpoints")
    parser.add_argument("--target", type=Path, default=PACKAGE, help="where the trained files go")
    parser.add_argument("--steps", type=int, help="of each cycle; fewer than usual, to try the script")
    parser.add_argument("--heads", type=int, help="that each half learns from; fewer than usual, to try the script")
    arguments = parser.parse_args()
    arguments.target.mkdir(parents=True, exist_ok=True)
    if arguments.what == "both":
        side_by_side(arguments)
    if arguments.what in HALVES:
        train(arguments.what, arguments)
    else:
        export_pair(arguments)


def side_by_side(arguments: argparse.Namespace) -> None:
    """Run this script once for each half, in two processes of one thread each."""
    given = {name: getattr(arguments, name) for name in ("work", "target", "steps", "heads")}
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen([sys.executable, __file__, half, *options], env=environment) for half in HALVES]
    ends = [process.wait() for process in started]
    if any(ends):
        raise SystemExit("training failed; see above")


def cycles_of(arguments: argparse.Namespace) -> list[Cycle]:
    """The cycles, cut down where that was asked for."""
    asked = {name: getattr(arguments, name) for name in ("steps", "heads") if getattr(arguments, name) is not None}
    return [replace(cycle, **asked) for cycle in CYCLES]


def train(half: str, arguments: argparse.Namespace) -> tuple[nn.Module, list[float]]:
    """Train one half, or go on from its checkpoint; one that is done costs nothing. Returns it and its losses."""
    torch.set_num_threads(1)
    seed = SEEDS[half]
    work = ScriptWork(arguments.work / half, seed)
    work.folder.mkdir(parents=True, exist_ok=True)
    network, losses = build_unet(NETWORK, seed), list[float]()
    for number, cycle in enumerate(cycles_of(arguments)):
        heads = StoredHeads(arguments.work / "heads", seed, cycle.heads)
        options = NETWORK.model_copy(update={"steps": cycle.steps, "learning_rate": cycle.learning_rate})
        batches = VariedHeads(heads, options.patch, options.batch, seed + number)
        log = train_half(work, options, network, batches, segmentation_loss(options.loss), f"cycle-{number + 1}")
        losses += log.losses
        network.train()
    return network.eval(), losses


def export_pair(arguments: argparse.Namespace) -> None:
    """Put both finished halves into the target folder."""
    done = [train(half, arguments) for half in HALVES]
    settings = {
        "network": NETWORK.model_dump(mode="json"),
        "training": {"cycles": [asdict(cycle) for cycle in cycles_of(arguments)], "seeds": SEEDS},
    }
    export([network for network, _ in done], [losses for _, losses in done], settings, arguments.target)


if __name__ == "__main__":
    main()
