"""`ubench --help` is quick and loads nothing heavy; the shell can complete."""

import json
import os
import resource
import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "torchvision",
    "monai",
    "nibabel",
    "scipy",
    "numba",
    "numpy",
    "open_clip",
    "nilearn",
}
LIST_MODULES = """
import json, sys
from unseg_bench.cli.main import main
main(sys.argv[1:])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return {name for name in json.loads(done.stderr.splitlines()[-1]) if "." not in name}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(*arguments) & HEAVY == set()


def test_the_list_of_commands_loads_not_even_the_checker_of_options() -> None:
    assert loaded_by("--help") & {"pydantic", "yaml", "pluggy"} == set()


@pytest.mark.parametrize("arguments", [["methods"], ["datasets"], ["runs"], ["compare"], ["weights"]])
def test_tables_load_no_torch(arguments: list[str]) -> None:
    assert loaded_by(*arguments) & {"torch", "monai", "nibabel", "scipy", "numba"} == set()


def test_help_takes_less_than_400_ms_of_one_core() -> None:
    """The processor's time, since the wall's depends on what else runs here; the best of three."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "unseg_bench.cli", "--help"], capture_output=True, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.4


def test_bash_completes_commands_and_methods() -> None:
    def complete(words: str) -> list[str]:
        environment = {
            **os.environ,
            "_UBENCH_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "unseg_bench.cli"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
        return done.stdout.split()

    assert complete("ubench ru") == ["run", "runs"]
    assert complete("ubench run thr") == ["threshold"]
