"""A comparison in, a table out."""

from unseg_bench.rooms import make_callable

make_callable(__name__)
