"""Our own row: networks that learned from phantoms with their own masks, shipped ready to use."""

from unseg_bench import Method, hookimpl

from .method import Synthetic


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring `synthetic`."""
    return [Synthetic]
