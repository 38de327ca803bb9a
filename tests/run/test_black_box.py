"""The black-box audit: only the references differ between the runs, and whoever looks at them is named."""

import nibabel as nib
import pytest

from tests.silent import Silent
from unseg_bench.errors import RunError
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.black_box import audit_black_box
from unseg_bench.run.session import seal

METHOD = """
import os
from pathlib import Path
import nibabel as nib
import numpy as np
from unseg_bench import Method, Supervision

class Mine(Method):
    name = "mine"
    supervision = Supervision.{supervision}
    def segment(self, volume, context):
        {body}
"""
BRIGHT = "return (volume.image > 1) & volume.brain"
ASKS = "return context.labels.mask(volume.case_id, 'copy')"
CHANCE = "return np.frombuffer(os.urandom(volume.image.size), np.uint8).reshape(volume.shape) > 127"
PEEKS = """
        data = next(path for path in Path(os.environ["UBENCH_CACHE"]).parents if (path / "data").is_dir()) / "data"
        masks = [np.asarray(nib.load(file).dataobj) for file in sorted(data.glob("references/*.nii.gz"))]
        return (volume.image > 1 + (sum(mask.sum() for mask in masks) > 1000)) & volume.brain"""

STATES = PEEKS.replace(
    "return (volume.image > 1 + (sum(mask.sum() for mask in masks) > 1000)) & volume.brain",
    "context.confidence(volume, 1 / (1 + sum(int(mask.sum()) for mask in masks)))\n        " + BRIGHT,
)


@pytest.fixture
def audit(dataset, tmp_path):
    def run(body, supervision="NONE"):
        file = tmp_path / "mine.py"
        file.write_text(METHOD.format(body=body, supervision=supervision))
        return audit_black_box(str(file), None, dataset, load_plugins(), tmp_path / "audit", Silent())

    return run


@pytest.fixture
def dataset(toy):
    class Zipped:
        """The toy data set with files in .nii.gz."""

        name = "toy"

        def __init__(self, inner):
            self.split, self.healthy, self._inner = inner.split, inner.healthy, inner

        def image(self, case_id):
            return self._zipped(self._inner.image(case_id))

        def reference(self, case_id):
            return self._zipped(self._inner.reference(case_id))

        def _zipped(self, file):
            path = file.path.with_suffix(".nii.gz")
            nib.save(nib.load(file.path), path)
            return type(file)(path)

    return Zipped(toy.plan().dataset)


def test_a_method_that_looks_at_images_alone_passes(audit):
    result = audit(BRIGHT)
    assert result.passed
    assert (result.cases, result.differing) == (("case-4", "case-5", "case-6"), ())


def test_a_method_that_looks_at_references_is_named_where_nothing_can_be_sealed(audit, monkeypatch):
    monkeypatch.setattr(seal, "kernel_obstacle", lambda: "no seal here")
    result = audit(PEEKS)
    assert not result.passed
    assert (result.differing, result.unstable) == (("case-4", "case-5", "case-6"), ())


def test_a_confidence_that_follows_the_references_is_named_too(audit, monkeypatch):
    monkeypatch.setattr(seal, "kernel_obstacle", lambda: "no seal here")
    result = audit(STATES)
    assert (result.differing, result.unstable) == (("case-4", "case-5", "case-6"), ())


@pytest.mark.slow
def test_a_method_that_declares_masks_may_differ(audit):
    result = audit(ASKS, "TEST_MASKS")
    assert result.passed
    assert len(result.differing) == 3


@pytest.mark.slow
def test_chance_is_told_from_a_leak(audit):
    result = audit(CHANCE)
    assert not result.passed
    assert result.unstable == result.differing == ("case-4", "case-5", "case-6")


def test_a_run_that_fails_is_an_error(audit):
    with pytest.raises(RunError, match="no luck"):
        audit("raise ValueError('no luck')")
