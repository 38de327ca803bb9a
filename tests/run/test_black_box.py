"""The black-box audit: only the references differ between the runs, and whoever looks at them is named."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.data.nifti import read_image, write_mask
from unseg_bench.errors import RunError
from unseg_bench.run.black_box import audit_black_box
from unseg_bench.run.folder import RunFolder


class Runs:
    """Stands for `ubench run`: `predict(image, reference)` is the method; keeps what the cohort looked like."""

    def __init__(self, predict, supervision="none"):
        self.predict, self.supervision = predict, supervision
        self.seen = []

    def __call__(self, data: Path, runs: Path, cache: Path) -> None:
        run = RunFolder(runs / "toy" / "run")
        run.update({"supervision": self.supervision, "cases": []})
        self.seen.append({str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()})
        for case_id in (data / "split" / "test.txt").read_text().split():
            image = read_image(data / "images" / f"{case_id}.nii.gz")
            reference = np.asarray(nib.load(data / "references" / f"{case_id}.nii.gz").dataobj) > 0
            write_mask(run.prediction(case_id), self.predict(image.data, reference), image)


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


def test_a_method_that_looks_at_images_alone_passes(dataset, tmp_path):
    runs = Runs(lambda image, reference: image > 12)
    result = audit_black_box(dataset, tmp_path, runs)
    assert result.passed
    assert (result.cases, result.differing) == (("case-4", "case-5", "case-6"), ())
    true, random = runs.seen
    assert set(true) == set(random)
    changed = {name for name in true if true[name] != random[name]}
    assert changed == {f"references/case-{number}.nii.gz" for number in range(7)}


def test_a_method_that_looks_at_references_is_named(dataset, tmp_path):
    seen = []

    def cheat(image, reference):
        seen.append(image.sum())
        return reference if len(seen) % 3 == 1 else image > 12

    result = audit_black_box(dataset, tmp_path, Runs(cheat))
    assert not result.passed
    assert (result.differing, result.unstable) == (("case-4",), ())


def test_a_method_that_declares_masks_may_differ(dataset, tmp_path):
    result = audit_black_box(dataset, tmp_path, Runs(lambda image, reference: reference, "masks"))
    assert result.passed
    assert len(result.differing) == 3


def test_chance_is_told_from_a_leak(dataset, tmp_path):
    chance = np.random.default_rng(1)
    result = audit_black_box(dataset, tmp_path, Runs(lambda image, reference: chance.random(image.shape) > 0.5))
    assert not result.passed
    assert result.unstable == result.differing == ("case-4", "case-5", "case-6")


def test_a_run_without_predictions_is_an_error(dataset, tmp_path):
    with pytest.raises(RunError, match="did not segment every case"):
        audit_black_box(dataset, tmp_path, lambda *_: None)
