"""Where no region can be made of the maps, the error says why."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from unseg_bench_methods.clisc.cams import binarise_cams
from unseg_bench_methods.clisc.options import RegionOptions

from unseg_bench.data.cohort import Cohort
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Work, stage
from unseg_bench.plugins.trial import TrialContext, tiny_case, tiny_cohort


@stage("maps", seeded=False)
def maps(work: Work, *, cohort: Cohort, peak: str) -> None:
    for volume in cohort:
        cam = np.zeros(volume.shape, np.float16)
        cam[tuple(n // 2 for n in volume.shape)] = float(peak)
        np.save(work.folder / f"{volume.case_id}.npy", cam)


@pytest.mark.parametrize(
    ("peak", "said"), [("0", "the classifier calls none of them tumour"), ("0.9", "the CAM's region is empty")]
)
def test_no_map_is_told_from_no_region(tmp_path: Path, peak: str, said: str) -> None:
    context = TrialContext(tmp_path, SimpleNamespace(), tiny_cohort("healthy", []), seed=1)  # pyright: ignore
    cohort = tiny_cohort("train", [tiny_case("a", 1)])
    cams = context.run(maps, cohort=cohort, peak=peak)
    with pytest.raises(RunError, match=said):
        context.run(binarise_cams, RegionOptions(), cohort=cohort, cams=cams, extras={"required": True})
