"""3D implicit fields: what a healthy brain's classes would be at each place, and where a scan's are unlike them."""

from unseg_bench import Method, hookimpl

from .method import ImplicitField


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring implicit fields."""
    return [ImplicitField]
