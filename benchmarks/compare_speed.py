"""Seconds that the whole process `ubench compare` takes for 10 runs of 75 made-up cases, imports included.

    OMP_NUM_THREADS=1 python benchmarks/compare_speed.py [--repeats 5]

The run folders, with predictions and references that the scores are compared with by their digests, are written to a
folder that goes away again, and so does the cache. Medians over the repeats, after one that warms the file
cache; on a busy machine the processor's seconds say more than the clock on the wall.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

import numpy as np

from unseg_bench.data.digests import file_digest
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.made import FILE as MADE
from unseg_bench.run.made import Made
from unseg_bench.score.intact import note_scored
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import SCORING_RULES, CaseScore
from unseg_bench.score.table import write_scores

RUNS = 10
CASES = 75
DIAGONAL_MM = 373.13
FILE_BYTES = 30_000
JOBS = (
    ("--help", ("compare", "--help"), ""),
    ("compare --by-size", ("compare", "--by-size"), "< 1"),
    ("compare --by-size --stats", ("compare", "--by-size", "--stats"), ""),
)


def write_runs(folder: Path) -> None:
    """Write run folders of methods whose DSC fall from one to the next."""
    random = np.random.default_rng(0)
    references = [_some_file(folder / "references" / f"case-{i:03d}.nii.gz", random) for i in range(CASES)]
    volumes_ml = random.lognormal(4.0, 0.8, CASES)
    difficulty = random.beta(2, 8, CASES)
    for number in range(RUNS):
        run = RunFolder(folder / "made-up" / f"method{number}-default-seed0-{number:08x}")
        dsc = np.clip(1.0 - difficulty - 0.03 * number + random.normal(0, 0.04, CASES), 0.0, 1.0)
        scores = [
            CaseScore(
                f"case-{i:03d}",
                ml,
                ml,
                dict(zip(BUILT_IN, (own, 30 * (1 - own), 60.0, 40.0, own, own, own), strict=True)),
                DIAGONAL_MM,
            )
            for i, (ml, own) in enumerate(zip(volumes_ml.tolist(), dsc.tolist(), strict=True))
        ]
        scores = [
            replace(
                score,
                prediction_sha256=file_digest(_some_file(run.prediction(score.case), random)),
                reference_sha256=file_digest(reference),
                tumour_sha256=file_digest(reference),
            )
            for score, reference in zip(scores, references, strict=True)
        ]
        write_scores(run.scores, scores)
        made = (Made("image", score.case, score.case, score.prediction_sha256) for score in scores)
        lines = [json.dumps({"case": score.case, **asdict(one)}) for score, one in zip(scores, made, strict=True)]
        (run.path / MADE).write_text("\n".join(lines) + "\n")
        note_scored(run, {score.case: file for score, file in zip(scores, references, strict=True)})
        run.update(
            {
                "state": "complete",
                "method": f"method{number}",
                "floor": False,
                "preset": "default",
                "seed": 0,
                "dataset": "made-up",
                "dataset_identity": {"name": "made-up"},
                "evidence": False,
                "split": "default",
                "part": "test",
                "cases": [f"case-{i:03d}" for i in range(CASES)],
                "settings": {"set": {}, "limit": None},
                "scoring_rules": SCORING_RULES,
                "started": f"2026-01-01T00:00:{number:02d}",
            }
        )


def _some_file(path: Path, random: np.random.Generator) -> Path:
    """Write a file as large as a mask of BraTS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.bytes(FILE_BYTES))
    return path


def measure(command: list[str], repeats: int) -> tuple[float, float]:
    """Median processor and wall seconds of a process; raises CalledProcessError when it fails."""
    processor, wall = [], []
    for _ in range(1 + repeats):
        before = _children_seconds(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        processor.append(_children_seconds() - before[0])
        wall.append(time.perf_counter() - before[1])
    return median(processor[1:]), median(wall[1:])


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a row for each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"{f'{RUNS} runs of {CASES} cases':28}{'processor s':>12}{'wall s':>10}{'asked':>10}")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        os.environ["UBENCH_CACHE"] = cache
        write_runs(Path(folder))
        for name, arguments, asked in JOBS:
            runs = [] if "--help" in arguments else ["--runs", folder]
            processor, wall = measure([sys.executable, "-m", "unseg_bench.cli", *arguments, *runs], repeats)
            print(f"{name:28}{processor:12.2f}{wall:10.2f}{asked:>10}")


if __name__ == "__main__":
    main()
