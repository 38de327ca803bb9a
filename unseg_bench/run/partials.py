"""Where a run's unfinished stages lie, below the cache: each run has a folder of its own, which no other run reads."""

import shutil
from pathlib import Path

from unseg_bench.data.paths import cache_dir
from unseg_bench.plugins.digests import digest_of
from unseg_bench.run.folder import RunFolder


def partials_of(folder: RunFolder) -> Path:
    """Return the folder of a run's checkpoints; they survive a crash."""
    return cache_dir() / "partial" / f"{folder.path.name}-{digest_of(str(folder.path.resolve()))[:8]}"


def forget_partials(folder: RunFolder) -> None:
    """Remove a run's checkpoints."""
    shutil.rmtree(partials_of(folder), ignore_errors=True)
