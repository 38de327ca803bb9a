"""`ubench info`: what a bug report needs."""

import os
from typing import Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.streams import print_json, say
from unseg_bench.words import bytes_text

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@app.command(
    rich_help_panel="This machine",
    epilog=examples(
        ("ubench info", "Paste this into a bug report."),
        ("ubench info --gpu", "Whether runs can compute on this machine's GPU."),
        ("ubench info --json", "The same for a script."),
    ),
)
def info(
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Compute on the GPU as a run does, in a sealed process, and say what it sees.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show versions, threads, device, cache folder, metrics and plugins, for bug reports.

    With --gpu, whether runs can compute on this machine's GPU; where they cannot, it ends with exit code 1.
    """
    facts = _check_gpu() if gpu else _collect()
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


def _check_gpu() -> dict[str, Any]:
    from unseg_bench.run.gpu_check import check_gpu

    seen = check_gpu()
    peak = {whose: bytes_text(size) for whose, size in seen["peak memory"].items()}
    return {**seen, "peak memory": peak}


def _gpus() -> dict[str, str]:
    """Return the device that runs would have, and the GPUs that the driver shows, or why that is not known."""
    from unseg_bench.errors import UbenchError
    from unseg_bench.plugins.device import settle_device
    from unseg_bench.plugins.driver import DriverError, find_gpus

    try:
        gpus = ", ".join(gpu.model for gpu in find_gpus().gpus) or "none"
    except DriverError as error:
        gpus = str(error)
    try:
        return {"device": settle_device("auto").text, "GPUs": gpus}
    except UbenchError as error:
        return {"device": str(error), "GPUs": gpus}


def _collect() -> dict[str, Any]:
    import torch

    from unseg_bench.data.paths import cache_dir
    from unseg_bench.plugins.device import machine, package_versions
    from unseg_bench.score.metrics import BUILT_IN, plugin_metrics

    plugins = plugins_with_warnings()
    set_variables = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    return {
        "versions": package_versions(),
        "machine": machine(),
        "torch threads": torch.get_num_threads(),
        "thread variables": ", ".join(set_variables) or "none set",
        **_gpus(),
        "cache": str(cache_dir()),
        "metrics": {one.short: f"{one.heading}: {one.about}" for one in (*BUILT_IN.values(), *plugin_metrics(plugins))},
        "plugins": {name: plugins.sources[name] for name in sorted(plugins.sources)},
        "broken plugins": {broken.name: broken.reason for broken in plugins.broken} or "none",
    }
