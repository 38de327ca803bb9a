"""`ubench --help` is quick and loads nothing heavy; the shell can complete."""

import json
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
