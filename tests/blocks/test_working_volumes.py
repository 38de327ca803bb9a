"""Working volumes: resampled once, memory-mapped, the same as one by one, with digests that follow the content."""

import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from unseg_bench.blocks.resample import mask_to_shape
from unseg_bench.blocks.working_volumes import at_spacing, volume_at_spacing
from unseg_bench.data.cohort import Cohort
from unseg_bench.plugins.trial import TrialContext, content_digest, tiny_case, tiny_cohort

CASES = [tiny_case(f"case-{number}", number, spacing_mm=(2.0, 3.0, 4.0)) for number in range(3)]


@pytest.fixture
def context(tmp_path: Path) -> TrialContext:
    return TrialContext(tmp_path, SimpleNamespace(), tiny_cohort("healthy", []), seed=1)  # pyright: ignore


def test_working_volumes_are_those_of_one_by_one_and_are_resampled_once(context: TrialContext) -> None:
    loads: list[str] = []
    source = tiny_cohort("train", CASES)

    def load(case_id: str):
        loads.append(case_id)
        return source[case_id]

    cohort = Cohort("train", [(case.volume.case_id, case.volume.digest) for case in CASES], load)
    working = at_spacing(cohort, 5.0, context.run)
    at_spacing(cohort, 5.0, context.run)
    for _ in range(3):
        for volume, case in zip(working, CASES, strict=True):
            alone = volume_at_spacing(case.volume, 5.0)
            assert volume.case_id == case.volume.case_id
            assert volume.shape == alone.shape
            assert np.array_equal(volume.image, alone.image)
            assert np.array_equal(volume.brain, alone.brain)
            assert (volume.spacing_mm, volume.digest) == (alone.spacing_mm, alone.digest) == ((5.0,) * 3, volume.digest)
    assert loads == ["case-0", "case-1", "case-2"]
    assert working.name == "train"
    assert len(context.finished) == 1


def test_working_volumes_are_on_disk_and_read_only(context: TrialContext) -> None:
    working = at_spacing(tiny_cohort("train", CASES), 1.0, context.run)
    tracemalloc.start()
    kept = list(working)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 0.05 * sum(volume.image.nbytes for volume in kept)
    assert type(kept[0].image) is np.ndarray
    for array in (kept[0].image, kept[0].brain, volume_at_spacing(CASES[0].volume, 1.0).image):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 1


def test_digest_of_the_cohort_follows_images_and_spacing(context: TrialContext) -> None:
    cohort = tiny_cohort("train", CASES)
    changed = tiny_cohort("train", [*CASES[:2], tiny_case("case-2", 9)])
    digests = {
        one.digest
        for one in (
            cohort,
            at_spacing(cohort, 4.0, context.run),
            at_spacing(cohort, 5.0, context.run),
            at_spacing(changed, 5.0, context.run),
        )
    }
    assert len(digests) == 4
    assert at_spacing(cohort, 5.0, context.run).digest in digests


def test_no_spacing_leaves_all_as_it_is(context: TrialContext) -> None:
    cohort = tiny_cohort("train", CASES)
    assert at_spacing(cohort, None, context.run) is cohort
    assert volume_at_spacing(CASES[0].volume, None) is CASES[0].volume
    assert context.finished == []


def test_working_spacing_and_back() -> None:
    volume = tiny_case("ball", 1, shape=(46, 62, 34), spacing_mm=(1.0, 1.0, 1.0)).volume
    before = content_digest(volume.image, volume.brain)
    working = volume_at_spacing(volume, 2.0)
    assert working.shape == (23, 31, 17)
    assert not working.image[~working.brain].any()
    back = mask_to_shape(working.brain, volume.shape)
    assert (back & volume.brain).sum() / (back | volume.brain).sum() > 0.9
    assert content_digest(volume.image, volume.brain) == before
