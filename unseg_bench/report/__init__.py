"""A comparison in, a table out."""

from unseg_bench.callable_packages import make_callable

make_callable(__name__)
