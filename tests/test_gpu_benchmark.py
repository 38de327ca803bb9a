"""The command for the first person with a GPU works, in small and on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "gpu.py"


def run(*arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


@pytest.mark.slow
def test_it_measures_everything_in_small_and_writes_the_file(tmp_path):
    out = tmp_path / "found" / "cpu.json"
    done = run("--small", "--device", "cpu", "--seconds", 0.01, "--out", out)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert (found["device"], found["small"], found["left_out"]) == ({"name": "cpu"}, True, [])
    parts = {row["part"] for row in found["rows"]}
    assert {part.partition(",")[0] for part in parts} == {"SAM miniature", "small ResNet 48 px", "small U-Net"}
    assert [row for row in found["rows"] if "failed" in row] == []
    assert all(row["per_second"] > 0 for row in found["rows"])
    for part in parts:
        said = [row["what"] for row in found["rows"] if row["part"] == part]
        assert said[0] == "bare, float32"
        assert any(what.startswith("harness") for what in said)
    ways = {way["name"] for way in found["ways"]}
    assert {row["what"] for row in found["rows"] if "U-Net" in row["part"]} >= {f"bare, {way}" for way in ways}
    assert set(found["equal_bits"].values()) == {"yes"}
    assert "equal bits with --deterministic: small ResNet 48 px: yes, small U-Net: yes" in done.stdout


def test_at_full_size_it_wants_a_gpu():
    done = run("--device", "cpu")
    assert done.returncode == 2
    assert "this measures GPUs, and a run would compute on the CPU; --small --device cpu tries it out" in done.stderr
