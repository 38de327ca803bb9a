"""Patients of ../shared, where it is there: a guard against regressions, not a tuning set."""

import numpy as np
import pytest
from unseg_bench_methods.synthetic.method import Synthetic

from unseg_bench.data.nifti import read_image, read_labels
from unseg_bench.data.prepare import prepare
from unseg_bench.plugins.trial import make_volume


@pytest.mark.slow
def test_real_tumours_are_found(shared_dir, fit):
    method, context = fit()
    assert isinstance(method, Synthetic)
    scores = []
    for path in sorted((shared_dir / "data").glob("*/*/Flair_*.nii.gz")):
        opened = read_image(path)
        image, brain, placement = prepare(opened)
        mask = method.segment(make_volume(path.parent.name, image, brain, opened.spacing_mm), context)
        truth = placement.take(read_labels(path.parent / "OTMultiClass.nii.gz").data > 0)
        scores.append(2 * np.count_nonzero(mask & truth) / (np.count_nonzero(mask) + np.count_nonzero(truth)))
    assert len(scores) == 6
    assert np.mean(scores) > 0.75
