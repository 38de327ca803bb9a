"""Make reports/demo: `ubench reproduce paper` on the phantom, whole, and a manifest of what it was made of.

    python scripts/demo_report.py
    python scripts/demo_report.py --check

The first takes about half an hour on two cores; a second call goes on where the first stopped. `--check` says whether
the manifest fits the files beside it and this version of the program: its rows, and the options of each run. It looks
at no number, since those depend on the machine's bits.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "reports" / "demo"
MANIFEST = "manifest.json"
MOST_BYTES = 15_000_000
COMMAND = ("reproduce", "paper")
LIBRARIES = ("torch", "torchvision", "monai", "numpy", "scipy")
INTRODUCTION = """# `ubench reproduce paper` on the phantom

**Figures on phantoms are no evidence about real patients.** This folder shows what `ubench reproduce paper` writes, and
that all of it runs: every method, each step, both sweeps. The small CLIP and SAM of the package stand in the place of
the published ones.

`report.html` is the page. Each part's table and figures lie beside it. `manifest.json` says with which version, options
and machine it was made, and has the SHA-256 of each file. Another processor gives other figures, some points away.

"""


def main() -> None:
    """Make the report, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say what does not fit")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the runs are kept")
    options = parser.parse_args()
    if options.check:
        found = list(faults())
        print("\n".join(found) or "the report fits this version")
        sys.exit(bool(found))
    make(options.runs)


def make(runs: Path) -> None:
    """Run the recipe, write page, tables, figures, README.md and the manifest; exits with 1 where a run fails."""
    begun = time.monotonic()
    command = [str(Path(sys.executable).with_name("ubench")), *COMMAND, "--runs", str(runs), "--out", str(FOLDER)]
    subprocess.run(command, check=True)
    (FOLDER / "README.md").write_text(INTRODUCTION + "\n".join(_shown()) + "\n", encoding="utf-8")
    manifest = {
        "command": "ubench " + " ".join(COMMAND),
        "version": version("unseg-bench"),
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "machine": {"processor": platform.machine(), "cpus": os.cpu_count(), "threads": os.getenv("OMP_NUM_THREADS")},
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "rows": planned(),
        "files": digests(),
    }
    (FOLDER / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def planned() -> dict[str, dict[str, Any]]:
    """Return part -> row -> the method, the preset and all options of its run, as this version plans them."""
    from unseg_bench import api
    from unseg_bench.plugins.manager import load_plugins
    from unseg_bench.run.reproduction import plan_recipe

    plugins = load_plugins()
    found = plan_recipe(plugins.recipe("paper"), api.settings("threshold"), plugins, Path("runs"))
    return {
        part.part.key: {
            row.label: {"method": plan.method.name, "preset": plan.method.preset, "options": plan.method.options}
            for row in part.rows
            for plan in row.plans
        }
        for part in found.parts
    }


def digests() -> dict[str, str]:
    """Return path -> SHA-256 of every file of the report but the manifest."""
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def faults() -> Iterator[str]:
    """Say what does not fit: the version, a file, a row, an option that has another value now. New options may come."""
    manifest = json.loads((FOLDER / MANIFEST).read_text(encoding="utf-8"))
    if manifest["version"] != version("unseg-bench"):
        yield f"made by version {manifest['version']}, this is {version('unseg-bench')}"
    kept, there = manifest["files"], digests()
    changed = [name for name in sorted(kept | there) if kept.get(name) != there.get(name)]
    yield from (f"{name}: not as the manifest has it" for name in changed)
    if sum(path.stat().st_size for path in FOLDER.rglob("*")) > MOST_BYTES:
        yield f"the folder is larger than {MOST_BYTES:,} bytes"
    today = json.loads(json.dumps(planned()))
    for part in sorted(manifest["rows"] | today):
        made, now = manifest["rows"].get(part, {}), today.get(part, {})
        yield from (f"{part}: '{row}' is in one of the two alone" for row in made.keys() ^ now.keys())
        for row in made.keys() & now.keys():
            yield from (f"{part}, {row}: {name}" for name in _changed(made[row], now[row]))


def _changed(made: Any, now: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401 - values of JSON
    if isinstance(made, dict) and isinstance(now, dict):
        for key in made:
            yield from _changed(made[key], now.get(key), f"{name}.{key}".removeprefix("."))
    elif made != now:
        yield f"{name} was {made!r} and is {now!r}"


def _shown() -> Iterator[str]:
    """The tables of all parts, as Markdown."""
    for path in sorted(FOLDER.glob("*.md")):
        if path.name != "README.md":
            yield f"- [{path.stem}]({path.name})"


if __name__ == "__main__":
    main()
