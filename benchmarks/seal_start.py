"""How long a whole run with a trivial method takes, sealed beside unsealed, and beside an older copy of this program.

Wall time of `ubench run`, since a PID namespace hides the processor seconds of what is inside; the least of several
rounds taken in turn. Give the machine nothing else to do.

    python benchmarks/seal_start.py [--before /path/to/older/.venv/bin/python] [--rounds 7]
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

METHOD = """
from unseg_bench import Method

class Bright(Method):
    name = "bright"

    def segment(self, volume, context):
        return volume.brain.copy()
"""
COHORT = [f"--dataset-option={part}={count}" for part, count in (("train", 1), ("valid", 1), ("test", 1))]


def seconds_of(python: str, folder: Path, sealed: str) -> float:
    """Return how long one run takes from the call to its scores; images are prepared before."""
    command = [python, "-m", "unseg_bench.cli", "run", "bright.py", "--force", "--sealed", sealed, *COHORT]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default="", help="the interpreter of an older copy's environment")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    programs = {"now": sys.executable} | ({"before": given.before} if given.before else {})
    ways = [(name, sealed) for name in programs for sealed in ("off", "required")]
    least = dict.fromkeys(ways, float("inf"))
    with TemporaryDirectory() as folder:
        Path(folder, "bright.py").write_text(METHOD)
        for name, sealed in ways:
            seconds_of(programs[name], Path(folder), sealed)
        for _ in range(given.rounds):
            for name, sealed in ways:
                least[name, sealed] = min(least[name, sealed], seconds_of(programs[name], Path(folder), sealed))
    for name in programs:
        plain, sealed = least[name, "off"], least[name, "required"]
        print(f"{name}: unsealed {plain:.2f} s, sealed {sealed:.2f} s, {sealed / plain:.2f} times")
    if given.before:
        print(f"sealed, now against before: {least['now', 'required'] / least['before', 'required']:.2f} times")


if __name__ == "__main__":
    main()
