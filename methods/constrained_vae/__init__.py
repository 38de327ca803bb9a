"""AMCons and GradCAMCons: a VAE of normal slices whose inner map is held even, so that a lesion stands out in it."""

from unseg_bench import Method, hookimpl

from .amcons import Amcons
from .gradcamcons import Gradcamcons


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring both."""
    return [Amcons, Gradcamcons]
