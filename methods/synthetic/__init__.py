"""Our own row: networks that learned from phantoms with their own masks, shipped ready to use."""

from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method

from .method import Synthetic


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring `synthetic`."""
    return [Synthetic]
