"""Sim2Real: a network learns to take simulated tumours apart, then adapts to real ones without a label."""

from unseg_bench import Method, hookimpl

from .method import Sim2Real


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring Sim2Real."""
    return [Sim2Real]
