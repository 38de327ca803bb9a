"""CLISC: slice labels from CLIP, better CAMs by masking, SAM's pseudo-labels, a 3D U-Net that trains itself."""

from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method

from .method import Clisc


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring CLISC."""
    return [Clisc]
