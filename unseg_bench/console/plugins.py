"""The plugins of this machine, with a line for each that does not load."""

from typing import TYPE_CHECKING

from unseg_bench.console.streams import warn

if TYPE_CHECKING:
    from unseg_bench.plugins.manager import Plugins


def plugins_with_warnings() -> "Plugins":
    """Load all plugins and say on stderr which could not be."""
    from unseg_bench.plugins.manager import load_plugins

    plugins = load_plugins()
    for broken in plugins.broken:
        warn(f"Warning: plugin '{broken.name}' ({broken.source}) could not be loaded: {broken.reason}")
    return plugins
