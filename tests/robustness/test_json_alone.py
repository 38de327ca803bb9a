"""`--json`: stdout holds JSON and nothing else, whatever a plugin prints and however it does."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.robustness.conftest import METHOD, Ubench

LOUD = (
    METHOD
    + """
import os, subprocess, sys
print("on import")


class Loud(Tiny):
    name = "loud"

    def __init__(self, options):
        print("on making")
        super().__init__(options)

    def fit(self, training, validation, context):
        sys.stdout.write("in fit ")
        super().fit(training, validation, context)

    def segment(self, volume, context):
        print("in segment")
        os.write(1, b"past Python\\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        return super().segment(volume, context)


del Tiny
"""
)
MAIN = "from unseg_bench.cli.main import main; raise SystemExit(main())"
WORDS = ("on import", "on making", "in fit", "in segment", "past Python", "from a child")


@pytest.fixture
def loud(tmp_path: Path) -> Path:
    """A method that prints at every occasion."""
    path = tmp_path / "loud.py"
    path.write_text(LOUD, encoding="utf-8")
    return path


def test_a_run_s_stdout_is_json_alone(loud: Path, data: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "run", str(loud), *data, "--json"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["method"], run["state"], run["cases"]) == ("loud", "complete", 2)
    assert [word for word in WORDS if word not in done.stderr] == []


@pytest.mark.parametrize("words", [["methods"], ["check"]])
def test_other_commands_too(ubench: Ubench, loud: Path, words: list[str]) -> None:
    shown = ubench(*words, loud, "--json")
    assert shown.json
    assert "on import" in shown.err


def test_errors_and_help_are_where_they_always_are(ubench: Ubench) -> None:
    failed = ubench("methods", "treshold", "--json")
    assert failed.out == ""
    assert failed.err.startswith("Error: unknown method")
    assert "Usage: ubench methods" in ubench("methods", "--json", "--help").out
    print("stdout is itself again")
    assert sys.stdout is not sys.stderr


def test_the_file_behind_stdout_is_its_own_again(capfd: pytest.CaptureFixture[str]) -> None:
    from unseg_bench.console.streams import json_alone, print_json

    with json_alone():
        print_json({"a": 1})
        os.write(1, b"aside\n")
        ctypes.CDLL(None).puts(b"from C")
        ctypes.CDLL(None).fflush(None)
    os.write(1, b"after\n")
    out, err = capfd.readouterr()
    assert json.loads(out.removesuffix("after\n")) == {"a": 1}
    assert err == "aside\nfrom C\n"
