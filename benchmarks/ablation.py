"""What a study costs beside one run: `ubench ablate METHOD` against `ubench run METHOD`, whole processes, fresh caches.

Images are made and prepared before the clock starts, the same for both. Beside the ratio it checks that no stage was
computed twice over all rows, says how much of the time was not spent in stages (processes, imports, segmentation,
scores), compares the study's stages with those of them that the one run needs too, all timed in the study, which other
load on the machine cannot bend as easily, and takes the time of one run whose stages are all kept, which is what every
further row costs at least.

    python benchmarks/ablation.py                           the phantom with the demo preset (half an hour on two cores)
    python benchmarks/ablation.py --train 6 --test 3 -- --set unet.steps=20
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

AIM = 1.6


def prepare(options: list[str], cache: Path) -> None:
    """Make and prepare every image of the phantom."""
    os.environ["UBENCH_CACHE"] = str(cache)
    from unseg_bench.data.store import PreparedStore
    from unseg_bench.plugins.manager import load_plugins
    from unseg_bench.run.settings import make_dataset

    phantom = load_plugins().dataset("phantom")
    dataset = make_dataset(phantom, dict(option.split("=") for option in options))
    store = PreparedStore(cache / "prepared")
    for case_id in (*dataset.split().case_ids, *dataset.healthy()):
        store.prepare(case_id, dataset.image(case_id))


def timed(words: list[str], folder: Path) -> float:
    """Run a command of ubench and return its seconds."""
    command = [str(Path(sys.executable).with_name("ubench")), *words, "--runs", str(folder)]
    started = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.monotonic() - started


def stage_lines(runs: Path) -> list[dict[str, object]]:
    """Return the lines on stages of all runs."""
    lines = [json.loads(line) for log in runs.glob("*/*/log.jsonl") for line in log.read_text().splitlines()]
    return [line for line in lines if line["event"] == "stage"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="clisc")
    parser.add_argument("--study", default="table2")
    for part in ("train", "test"):
        parser.add_argument(f"--{part}", type=int)
    parser.add_argument("rest", nargs="*", help="options for both commands, after --")
    given = parser.parse_args()
    sizes = [f"{part}={size}" for part in ("train", "test") if (size := getattr(given, part)) is not None]
    options = [*(word for size in sizes for word in ("--dataset-option", size)), *given.rest, "--device", "cpu"]
    seconds: dict[str, float] = {}
    needed: set[object] = set()
    with tempfile.TemporaryDirectory() as place:
        for name, words in (("run", []), ("ablate", ["--study", given.study])):
            cache, runs = Path(place, name, "cache"), Path(place, name, "runs")
            prepare(sizes, cache)
            seconds[name] = timed([name, given.method, *words, *options], runs)
            lines = stage_lines(runs)
            computed = [line for line in lines if not line["cached"]]
            twice = [key for key, n in Counter((one["stage"], one["digest"]) for one in computed).items() if n > 1]
            needed = needed or {line["digest"] for line in lines}
            own = sum(float(str(line["seconds"])) for line in computed if line["digest"] in needed)
            rows = len(list(runs.glob("*/*/run.json")))
            inside = sum(float(str(line["seconds"])) for line in computed)
            print(
                f"ubench {name:<7} {seconds[name]:7.1f} s, {rows} run(s), {len(computed)} of {len(lines)} stages "
                f"computed ({inside:.1f} s), {len(twice)} of them twice; {(seconds[name] - inside) / rows:.1f} s a run "
                "outside of stages",
                flush=True,
            )
        print(f"stages of the study: {inside / own:.2f} times those among them that the one run needs")
        shutil.rmtree(Path(place, "run", "runs"))
        os.environ["UBENCH_CACHE"] = str(Path(place, "run", "cache"))
        kept = timed(["run", given.method, *options], Path(place, "run", "runs"))
        print(f"ubench run     {kept:7.1f} s with all stages kept")
    ratio = seconds["ablate"] / seconds["run"]
    print(f"ratio {ratio:.2f} (aim: at most {AIM})")


if __name__ == "__main__":
    main()
