"""SaLIP: SAM proposes masks, CLIP picks those that look like a tumour, SAM outlines their boxes."""

from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method

from .method import Salip


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring SaLIP."""
    return [Salip]
