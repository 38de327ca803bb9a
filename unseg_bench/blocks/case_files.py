"""One array a case, written as a stage goes: a stage that was killed goes on with the first case that is missing."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.atomic import whole_file
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Volume
from unseg_bench.plugins.context import Work


def write_cases(work: Work, cohort: Cohort, make: Callable[[Volume], NDArray[Any]]) -> bool:
    """Write `<case>.npy`, what `make` makes of a volume, for every case; return whether any of them has a value not 0.

    `make` must depend on nothing but the volume and what the stage's key has: what a killed attempt has made is kept.
    Raises RunError when the disk is full.
    """
    files = {case_id: work.scratch / f"{case_id}.npy" for case_id in cohort.case_ids}
    for done, (case_id, file) in enumerate(files.items()):
        work.progress(done, len(cohort), case_id)
        if not file.exists():
            with whole_file(file) as temporary, temporary.open("wb") as opened:
                np.save(opened, make(cohort[case_id]), allow_pickle=False)
    found = any(np.load(file, mmap_mode="r", allow_pickle=False).any() for file in files.values())
    for file in files.values():
        file.replace(work.folder / file.name)
    return found
