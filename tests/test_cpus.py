"""Threads follow the processors that this process may use, not those of the machine."""

import ast
import os
from pathlib import Path

import pytest

from unseg_bench import cpus
from unseg_bench.cpus import physical_cores, usable_cpus
from unseg_bench.plugins.device import machine

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_that_is_held_to_one_processor_counts_one():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert (usable_cpus(), physical_cores(), machine()["cpus"]) == (1, 1, 1)
    finally:
        os.sched_setaffinity(0, before)


def test_threads_of_one_core_count_once(monkeypatch, tmp_path):
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        file = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        file.parent.mkdir(parents=True)
        file.write_text(siblings + "\n")
    monkeypatch.setattr(cpus, "Path", lambda path: tmp_path / path.lstrip("/"))
    for allowed, cores in [({0, 1, 2, 3}, 2), ({1, 3}, 1), ({0, 1, 9}, 3)]:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid, allowed=allowed: allowed, raising=False)
        assert (usable_cpus(), physical_cores()) == (len(allowed), cores)


def test_without_affinity_all_processors_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert usable_cpus() == 5


def test_one_place_alone_counts_processors():
    names = {"cpu_count", "process_cpu_count", "sched_getaffinity"}
    found = {
        str(path.relative_to(ROOT))
        for folder in ("unseg_bench", "methods", "datasets")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in names
    }
    assert found == {"unseg_bench/cpus.py"}
