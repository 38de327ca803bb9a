"""`ubench info`: what a bug report needs."""

import os
from typing import Any

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.streams import print_json, say

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@app.command(
    rich_help_panel="This machine",
    epilog=examples(
        ("ubench info", "Paste this into a bug report."),
        ("ubench info --json", "The same for a script."),
    ),
)
def info(as_json: AsJson = False) -> None:
    """Show versions, threads, device, cache folder, metrics and plugins, for bug reports."""
    facts = _collect()
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            say(name)
            for inner, text in value.items():  # pyright: ignore[reportUnknownVariableType] - JSON
                say(f"  {inner:<20}{text}")
        else:
            say(f"{name:<22}{value}")


def _collect() -> dict[str, Any]:
    import torch

    from unseg_bench.data.paths import cache_dir
    from unseg_bench.plugins.device import machine, package_versions, pick_device
    from unseg_bench.score.metrics import BUILT_IN, plugin_metrics

    plugins = plugins_with_warnings()
    device = pick_device("auto")
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    set_variables = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    return {
        "versions": package_versions(),
        "machine": machine(),
        "torch threads": torch.get_num_threads(),
        "thread variables": ", ".join(set_variables) or "none set",
        "device": device,
        "GPUs": ", ".join(gpus) or "none",
        "cache": str(cache_dir()),
        "metrics": {one.short: f"{one.heading}: {one.about}" for one in (*BUILT_IN.values(), *plugin_metrics(plugins))},
        "plugins": {name: plugins.sources[name] for name in sorted(plugins.sources)},
        "broken plugins": {broken.name: broken.reason for broken in plugins.broken} or "none",
    }
