"""Scores of many runs in, one comparison out: size groups, means, paired tests. No image and no torch."""

from unseg_bench.callable_packages import make_callable

make_callable(__name__)
