"""What the process of one run may open, and what it must fail to open."""

import os
from collections.abc import Sequence
from pathlib import Path

from unseg_bench.data.paths import cache_dir, home_dir
from unseg_bench.errors import RunError
from unseg_bench.plugins.device import CPU, settle_device
from unseg_bench.run.data_files import data_files, data_folders, image_files, reference_files
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.session.seal import code_rules, own_files, socket_probes
from unseg_bench.sandbox import landlock, policy, probe
from unseg_bench.sandbox.workspace import Workspace


def run_rules(plan: RunPlan, workspace: Workspace, *, dry: bool = False) -> list[landlock.Rule]:
    """Return what a run's process may open; raises RunError where that would open data, runs, the cache or home.

    `dry`: nothing is asked of the data set that could make its files, and no GPU is used.
    """
    rules = code_rules(plan.method.where, type(plan.dataset), workspace)
    if not dry and settle_device(plan.settings.device).kind != CPU:
        rules += policy.gpu_rules()
    data = data_folders(plan.dataset) if dry else data_files(plan.dataset, plan.used_case_ids)
    results = [plan.folder.path.parent, cache_dir()]
    if (hole := policy.find_hole(rules, [*data, *results, *_home()])) is not None:
        opened, path = hole
        raise RunError(
            f"{plan.title}: cannot be sealed: {path} lies inside {opened}, which Python or the plugin needs to read; "
            "move one of them, or run with --sealed off"
        )
    own = [own_files(plan.method.where), *workspace.folders]
    if (inside := policy.find_inside(rules, results, own)) is not None:
        opened, folder = inside
        raise RunError(
            f"{plan.title}: cannot be sealed: Python or the plugin needs to read {opened}, which lies among runs or "
            f"the cache, in {folder}; move one of them, or run with --sealed off"
        )
    return rules


def run_probes(plan: RunPlan, case_ids: Sequence[str]) -> list[dict[str, str]]:
    """Return what the process must fail to do before it may load the method; of the cases, the first is tried."""
    probes: list[dict[str, str]] = []
    for what, find in (("image file", image_files), ("reference mask", reference_files)):
        for file in find(plan.dataset, case_ids[:1]):
            probes.append(_probe(f"read the {what} of {case_ids[0]}", probe.READ, file))
            probes.append(_probe(f"list the folder of the {what}s", probe.LIST, file.parent))
    probes += [
        _probe("list the folder of runs", probe.LIST, plan.folder.path.parent),
        _probe("read this run's record", probe.READ, plan.folder.path / "run.json"),
        _probe("write into this run", probe.WRITE, plan.folder.path),
        _probe("list the stages of all runs", probe.LIST, cache_dir() / "stages"),
        _probe("list the prepared images", probe.LIST, cache_dir() / "prepared"),
        _probe("write into the weights", probe.WRITE, cache_dir() / "weights"),
        *(_probe("list the home folder", probe.LIST, home) for home in _home()),
        _probe("read the runner's memory", probe.READ, Path(f"/proc/{os.getpid()}/mem")),
        _probe("list the runner's open files", probe.LIST, Path(f"/proc/{os.getpid()}/fd")),
    ]
    return [*(one for one in probes if Path(one["path"]).exists()), *socket_probes()]


def _home() -> list[Path]:
    return [home] if (home := home_dir()) is not None else []


def _probe(what: str, kind: str, path: Path) -> dict[str, str]:
    return {"what": what, "kind": kind, "path": str(path.resolve())}
