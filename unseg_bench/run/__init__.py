"""Settings, stages and their content-addressed cache, the run folder, and the runner: cases in, predictions out."""

from unseg_bench.callable_packages import make_callable

make_callable(__name__)
