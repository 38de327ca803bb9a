"""Eight runs at once on one cache: nothing is lost, nothing is computed twice, and all end with the same bits."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

TOY = Path(__file__).parents[1] / "run" / "toy_plugin.py"
SEEDS = (0, 1, 2, 3, 0, 1, 2, 3)
DRIVER = """
import json, os, sys
from pathlib import Path
import torch  # once, before the forks: it takes seconds
from unseg_bench.console.reporters import PlainReporter
from unseg_bench.plugins.manager import Plugins
from unseg_bench.run.plan import plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.run.settings import make_settings

plugins = Plugins()
plugins.load_file(Path(sys.argv[1]))
settings = {"methods": ["toy"], "dataset": "toy", "device": "cpu", "sealed": "off"}
(plan,) = plan_runs(make_settings(settings), plugins, Path("runs"))
for case_id in plan.split.case_ids:
    plan.dataset.image(case_id)

def run(seed):
    (plan,) = plan_runs(make_settings({**settings, "seeds": [seed]}), plugins, Path("runs"))
    return execute(plan, PlainReporter())

at_once, children = json.loads(sys.argv[2]), []
for seed in at_once:
    child = os.fork()
    if child == 0:
        os._exit(run(seed).state != "predicted")
    children.append(child)
    if len(children) == int(sys.argv[3]):
        print(*[os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in children], flush=True)
        children = []
"""


def runs(folder: Path, seeds: tuple[int, ...], at_once: int) -> list[int]:
    """Run the toy in forked processes; returns their exit codes."""
    folder.mkdir()
    log = {"UBENCH_CACHE": str(folder / "cache"), "TOY_LOG": str(folder / "toy.log")}
    command = [sys.executable, "-c", DRIVER, str(TOY), json.dumps(seeds), str(at_once)]
    done = subprocess.run(
        command, env={**os.environ, **log}, cwd=folder, capture_output=True, text=True, timeout=240, check=True
    )
    return [int(code) for code in done.stdout.split()]


def predictions(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("runs/toy/*/predictions/*.nii.gz")}


@pytest.mark.slow
def test_eight_at_once_do_what_four_do_one_by_one(tmp_path: Path) -> None:
    assert runs(tmp_path / "together", SEEDS, len(SEEDS)) == [0] * 8
    assert runs(tmp_path / "alone", SEEDS[:4], 1) == [0] * 4
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert len(predictions(alone)) == 4 * 3
    assert predictions(together) == predictions(alone)
    steps = [Counter((folder / "toy.log").read_text().splitlines()) for folder in (together, alone)]
    assert steps[0] == steps[1]
    assert steps[0]["gather"] == 1
    for file in together.glob("runs/toy/*/run.json"):
        record = json.loads(file.read_text())
        assert (record["state"], len(record["cases"]), record["failed_cases"]) == ("predicted", 3, {})
    assert not list(together.glob("cache/partial/*/*"))
    assert not list(together.glob("cache/prepared/.part-*"))
