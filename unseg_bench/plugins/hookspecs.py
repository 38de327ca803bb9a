"""Every hook that a plugin can implement. A plugin is a module with functions of these names, marked `@hookimpl`.

Built-in plugins, installed packages (entry points of the group `unseg_bench`) and single files given by path all
come in through these hooks.
"""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer

    from unseg_bench.plugins.dataset import Dataset
    from unseg_bench.plugins.method import Method
    from unseg_bench.plugins.metric import Metric
    from unseg_bench.plugins.recipes import Recipe

PROJECT = "unseg_bench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ubench_methods() -> "list[type[Method]]":  # pyright: ignore[reportReturnType]
    """Return the methods that this plugin brings; their `name` must not be taken."""


@hookspec
def ubench_datasets() -> "list[type[Dataset]]":  # pyright: ignore[reportReturnType]
    """Return the data sets that this plugin brings; their `name` must not be taken."""


@hookspec
def ubench_metrics() -> "list[Metric]":  # pyright: ignore[reportReturnType]
    """Return the metrics that this plugin brings; every case that is scored gets a value of each."""


@hookspec
def ubench_recipes() -> "list[Recipe]":  # pyright: ignore[reportReturnType]
    """Return what `ubench reproduce` can reproduce by this plugin; their `name` must not be taken."""


@hookspec
def ubench_commands(app: "typer.Typer") -> None:
    """Add commands of the plugin's own to `ubench`; called once, before the command line is parsed."""
