"""How long a sealed process takes from start to end beside a plain one that imports the same, in one run.

Processor seconds, which other work on the machine changes least, the best of several rounds taken in turn: a plain
Python process, a sealed one without namespaces, and one with all that the kernel gives.

    python benchmarks/seal_start.py
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from unseg_bench.sandbox import namespaces, policy
from unseg_bench.sandbox.channel import Message
from unseg_bench.sandbox.process import Answer, SandboxProcess
from unseg_bench.sandbox.workspace import Workspace

ROUNDS = 9
IMPORTS = "import numpy, unseg_bench, unseg_bench.plugins.manager"
SERVER = f"""
def serve(channel, given):
    {IMPORTS}
    channel.receive()
    channel.send({{}})
"""


def plain() -> None:
    """Start a plain process that imports what a trivial method needs."""
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, timeout=60)


def sealed(wanted: tuple[str, ...]) -> Callable[[], None]:
    """Return what starts a sealed process with these namespaces, calls it once, and ends it."""

    def start() -> None:
        namespaces.ALL = wanted
        workspace = Workspace("seal_start")
        rules = [*policy.interpreter_rules([], []), *workspace.rules]
        try:
            with SandboxProcess(workspace, rules, [], "seal_start_server:serve", {}, _no_answer, print) as process:
                process.call("go", {})
        finally:
            workspace.leave()

    return start


def _no_answer(question: Message) -> Answer:
    raise RuntimeError(question)


def processor_seconds() -> float:
    """Return the seconds that this process and its ended children took."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Measure and print."""
    ways = {"plain": plain, "sealed": sealed(()), "sealed, own namespaces": sealed(namespaces.ALL)}
    least = dict.fromkeys(ways, float("inf"))
    with TemporaryDirectory() as folder:
        Path(folder, "seal_start_server.py").write_text(SERVER)
        sys.path.insert(0, folder)
        for _ in range(ROUNDS):
            for name, start in ways.items():
                before = processor_seconds()
                start()
                least[name] = min(least[name], processor_seconds() - before)
    for name, seconds in least.items():
        print(f"{name}: {seconds:.2f} s, {seconds / least['plain']:.2f} times a plain process")


if __name__ == "__main__":
    main()
