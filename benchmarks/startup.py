"""How long `ubench --help` takes beside the help of a Typer application with one command, in one run.

Processor time of whole processes, the best of several, since the wall's depends on what else runs.

    python benchmarks/startup.py
"""

import resource
import subprocess
import sys

ROUNDS = 5
PEER = "import typer; app = typer.Typer(rich_markup_mode='rich'); app.command()(lambda: None); app(['--help'])"


def seconds(command: list[str]) -> float:
    """Return the processor seconds of the quickest of `ROUNDS` processes."""
    found: list[float] = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(found)


def main() -> None:
    """Measure and print."""
    ours = seconds([sys.executable, "-m", "unseg_bench.cli", "--help"])
    peer = seconds([sys.executable, "-c", PEER])
    print(f"ubench --help {ours:.2f} s, a Typer application of one command {peer:.2f} s: {ours / peer:.2f} times")


if __name__ == "__main__":
    main()
