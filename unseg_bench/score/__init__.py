"""Predictions and references in, `scores.csv` out: DSC, HD95 (mm) and what an empty mask earns."""

from unseg_bench.callable_packages import make_callable

make_callable(__name__)
