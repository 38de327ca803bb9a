"""3D implicit fields: what a healthy brain's classes would be at each place, and where a scan's are unlike them."""

from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method

from .method import ImplicitField


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Bring implicit fields."""
    return [ImplicitField]
