"""SAM with boxes and points taken from masks: the reference's, as a ceiling, or another method's."""

from unseg_bench import Method, hookimpl

from .method import SamPrompts


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring SAM with prompts."""
    return [SamPrompts]
