"""How many processors this process may use: a batch system or `taskset` gives it fewer than the machine has."""

import os
from pathlib import Path


def usable_cpus() -> int:
    """Count the processors that this process may run on; at least 1."""
    return len(_affinity())


def physical_cores() -> int:
    """Count the cores that they belong to: hyper-threads of one core count once, where Linux tells; at least 1."""
    siblings = {cpu: Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") for cpu in _affinity()}
    return len({path.read_text().strip() if path.exists() else str(cpu) for cpu, path in siblings.items()})


def _affinity() -> set[int]:
    """The numbers of the processors that this process may run on; macOS has no affinity: all."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
