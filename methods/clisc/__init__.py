"""CLISC: slice labels from CLIP, better CAMs by masking, SAM's pseudo-labels, a 3D U-Net that trains itself."""

from unseg_bench import Method, hookimpl

from .method import Clisc


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring CLISC."""
    return [Clisc]
