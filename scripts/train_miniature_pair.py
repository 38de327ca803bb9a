"""Train the miniature pair, the small CLIP and SAM that ship with unseg-bench, from phantoms alone.

    python scripts/train_miniature_pair.py            # both, side by side, one thread each
    python scripts/train_miniature_pair.py clip       # only one of them

Phantoms are made first and kept in the work folder; checkpoints every 200 steps let a stopped run go on. The results
(weights, settings with digests, logs) go to `unseg_bench/blocks/miniature/`. What is shipped is the moving average of
the weights after the last step: no step is chosen by looking at any real case. The SAM never sees a tumour, nor a
tumour's mask.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch
from miniature import train_clip, train_sam
from miniature.export import export

PACKAGE = Path(__file__).parents[1] / "unseg_bench" / "blocks" / "miniature"


def main() -> None:
    """Train what was asked for and write it into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("both", "clip", "sam"), nargs="?", default="both")
    parser.add_argument("--work", type=Path, default=Path("miniature_work"), help="phantoms, checkpoints and logs")
    parser.add_argument("--target", type=Path, default=PACKAGE, help="where the trained files go")
    parser.add_argument("--steps", type=int, help="fewer steps than usual, to try the script")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.target.mkdir(parents=True, exist_ok=True)
    if arguments.kind == "both":
        side_by_side(arguments)
    else:
        train(arguments.kind, arguments.work, arguments.target, arguments.steps)


def side_by_side(arguments: argparse.Namespace) -> None:
    """Run this script once for each model, in two processes of one thread each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = ["--work", str(arguments.work), "--target", str(arguments.target)]
    options += [] if arguments.steps is None else ["--steps", str(arguments.steps)]
    started = [
        subprocess.Popen([sys.executable, __file__, kind, *options], env=environment) for kind in ("clip", "sam")
    ]
    ends = [process.wait() for process in started]
    if any(ends):
        raise SystemExit("training failed; see above")


def train(kind: str, work: Path, target: Path, steps: int | None) -> None:
    """Train one model on one thread and export it."""
    torch.set_num_threads(1)
    if kind == "clip":
        clip = train_clip.ClipTraining(**({} if steps is None else {"steps": steps}))
        export(kind, train_clip.train_clip(work, clip), train_clip.settings(clip), work, target)
    else:
        sam = train_sam.SamTraining(**({} if steps is None else {"steps": steps}))
        export(kind, train_sam.train_sam(work, sam), train_sam.settings(sam), work, target)


if __name__ == "__main__":
    main()
