"""A comparison in; tables for the terminal and papers, figures and one HTML page out."""

from unseg_bench.callable_packages import make_callable

make_callable(__name__)
