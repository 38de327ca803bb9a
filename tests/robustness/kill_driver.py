"""Runs a command line again and again in forked children, each killed at a random moment, until it is done.

Arguments: a folder, a seed, how many kills, and the command line as JSON. Prints what happened as JSON.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

WARM = (
    "unseg_bench.blocks.clip.scorer",
    "unseg_bench.blocks.sam.segmenter",
    "unseg_bench.blocks.unet.training",
    "unseg_bench.score.scoring",
    "unseg_bench_methods.clisc.self_training",
    "scipy.ndimage",
)
"""Imported once, before the forks: a process of its own would spend most of its life with imports."""
FIRST_PATIENCE_S = 0.6


def attempt(folder: Path, command: list[str], log: Path) -> int:
    """Fork, and become `ubench` in the child; returns the child's number."""
    child = os.fork()
    if child:
        return child
    from unseg_bench.cli.main import main

    os.environ["UBENCH_CACHE"] = str(folder / "cache")
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os._exit(main([*command, "--runs", str(folder / "runs")]))


def wait_or_kill(child: int, seconds: float | None) -> int:
    """Return the child's exit code, -9 when it was still at work after so many seconds (None: wait for it)."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        done, status = os.waitpid(child, 0 if end is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def finished(folder: Path) -> int:
    """How much is finished: prepared images, stages, predictions."""
    patterns = ("cache/prepared/[!.]*", "cache/stages/*/*/stage.json", "runs/*/*/predictions/[!.]*")
    return sum(1 for pattern in patterns for _ in folder.glob(pattern))


def result(folder: Path) -> dict[str, object]:
    """Digests of all predictions and of the scores, and what run.json says."""
    (run,) = folder.glob("runs/*/*")
    files = [*sorted(run.glob("predictions/*")), run / "scores.csv"]
    record = json.loads((run / "run.json").read_text())
    return {
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "state": record["state"],
        "label_reads": record["label_reads"],
        "run": run.name,
    }


def one_round(folder: Path, command: list[str], rng: random.Random, kills: int) -> tuple[int, dict[str, object]]:
    """Run until done, killing at most `kills` times; a stage that is too long for our patience stretches it."""
    patience, killed = FIRST_PATIENCE_S, 0
    while True:
        before = finished(folder)
        moment = rng.uniform(0.0, patience) if killed < kills else None
        code = wait_or_kill(attempt(folder, command, folder / "log.txt"), moment)
        if code != -signal.SIGKILL:
            return killed, {"code": code, **result(folder)}
        killed += 1
        patience = FIRST_PATIENCE_S if finished(folder) > before else patience * 1.25


def main() -> None:
    """Undisturbed once, then rounds of kills until there were enough."""
    folder, seed, wanted, command = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
    for name in WARM:
        import_module(name)
    from unseg_bench.score.case import warm_up

    warm_up()
    rng, rounds, killed = random.Random(seed), [], 0
    (folder / "quiet").mkdir()
    _, quiet = one_round(folder / "quiet", command, rng, 0)
    while killed < wanted:
        place = folder / f"round-{len(rounds)}"
        place.mkdir()
        more, outcome = one_round(place, command, rng, wanted - killed)
        killed += more
        rounds.append(outcome)
    print(json.dumps({"quiet": quiet, "rounds": rounds, "kills": killed}))


if __name__ == "__main__":
    main()
