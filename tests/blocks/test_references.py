"""References as a stage's result on any grid, and the supervision that follows from what is read."""

import numpy as np
import pytest

from unseg_bench.blocks.references import least_supervision, reference_masks
from unseg_bench.blocks.working_volumes import at_spacing
from unseg_bench.data.labels import MASK_PARTS, SLICE_LABEL_PARTS
from unseg_bench.data.supervision import Supervision
from unseg_bench.plugins.trial import TrialContext, TrialLabels, tiny_case, tiny_cohort


@pytest.mark.parametrize(
    ("masks", "slices", "level"),
    [
        ((), (), Supervision.NONE),
        ((), ("train",), Supervision.SLICE_LABELS),
        ((), ("train", "valid"), Supervision.SLICE_LABELS),
        (("valid",), (), Supervision.VALIDATION_MASKS),
        (("valid",), ("valid",), Supervision.VALIDATION_MASKS),
        (("valid",), ("train",), Supervision.SLICE_LABELS_AND_VALIDATION_MASKS),
        (("train",), (), Supervision.MASKS),
        (("train",), ("valid",), Supervision.MASKS),
        (("test",), (), Supervision.PROMPTS_FROM_MASKS),
        ((), ("test",), Supervision.PROMPTS_FROM_MASKS),
    ],
)
def test_the_least_level_grants_what_is_read_and_none_before_it_does(masks, slices, level) -> None:
    assert least_supervision(masks=masks, slice_labels=slices) is level
    for less in list(MASK_PARTS)[: list(MASK_PARTS).index(level)]:
        granted = {*masks} <= {*MASK_PARTS[less]} and {*slices} <= {*SLICE_LABEL_PARTS[less]}
        assert not granted


def test_masks_come_on_the_grid_that_is_asked_for(tmp_path) -> None:
    cases = [tiny_case("a", 1), tiny_case("b", 2, shape=(40, 23, 11), spacing_mm=(3.0, 5.0, 9.0))]
    labels = TrialLabels(Supervision.MASKS, {"train": cases})
    run = TrialContext(tmp_path, labels, tiny_cohort("healthy", []), seed=0)
    cohort = tiny_cohort("train", cases)
    own = reference_masks(cohort, run, "learn")
    working = at_spacing(cohort, 6.0, run.run)
    moved = reference_masks(cohort, run, "learn", working=working)
    assert own.digest != moved.digest
    for case in cases:
        name = case.volume.case_id
        assert np.array_equal(own.array(name), case.reference)
        mask = moved.array(name)
        assert mask.shape == working[name].shape != case.reference.shape
        assert mask.mean() == pytest.approx(case.reference.mean(), rel=0.15)
    assert labels.read == [f"mask of {name} (learn)" for name in 2 * ["a", "b", "a", "b"]]
