"""SaLIP: SAM proposes masks, CLIP picks those that look like a tumour, SAM outlines their boxes."""

from unseg_bench import Method, hookimpl

from .method import Salip


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring SaLIP."""
    return [Salip]
