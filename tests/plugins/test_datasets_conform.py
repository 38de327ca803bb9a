"""Every registered data set goes through the conformance kit, and each of its checks can fail."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydantic import ConfigDict

from unseg_bench.data.splits import Split, split_all_test
from unseg_bench.plugins.conformance import check_dataset
from unseg_bench.plugins.dataset import Dataset, DatasetOptions, ImageFile, ReferenceFile
from unseg_bench.plugins.manager import load_plugins


def failed(results):
    return {result.name: result.detail for result in results if not result.passed}


def write_case(image, reference, seed=0, *, shape=(9, 10, 8)):
    rng = np.random.default_rng(seed)
    inside, tumour = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    inside[2:7, 2:8, 1:6] = rng.integers(50, 900, (5, 6, 5))
    tumour[3:5, 3:5, 2:4] = 1
    for path, array in ((image, inside), (reference, tumour)):
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.eye(4)), path)


def phantom(tmp_path):
    return {"train": 1, "valid": 1, "test": 1, "healthy": 1, "spacing_mm": 4.0}


def folder(tmp_path):
    for number in range(10):
        case = tmp_path / f"p{number}"
        write_case(case / "flair.nii.gz", case / "seg.nii.gz", number)
    return {"data": tmp_path, "image": "*/flair.nii.gz", "reference": "*/seg.nii.gz"}


def brats2020(tmp_path):
    for number in range(1, 370):
        name = f"BraTS20_Training_{number:03d}"
        write_case(tmp_path / name / f"{name}_flair.nii", tmp_path / name / f"{name}_seg.nii", number)
    return {"data": tmp_path}


OPTIONS = {"phantom": phantom, "folder": folder, "brats2020": brats2020}


def test_there_are_options_for_every_registered_data_set():
    assert set(load_plugins().datasets) == set(OPTIONS)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_every_registered_data_set_passes(name, tmp_path):
    dataset = load_plugins().datasets[name]
    options = dataset.Options.model_validate(OPTIONS[name](tmp_path))
    assert failed(check_dataset(dataset, options)) == {}


class Options(DatasetOptions):
    data: Path


class Good(Dataset):
    name, title = "good", "Good"
    Options = Options

    def identity(self):
        return {"name": self.name}

    def split(self):
        return split_all_test(["a", "b"])

    def image(self, case_id):
        return self._files(case_id)[0]

    def reference(self, case_id):
        return self._files(case_id)[1]

    def _files(self, case_id):
        image, reference = (self.options.data / f"{case_id}-{kind}.nii.gz" for kind in ("image", "mask"))
        if not image.is_file():
            write_case(image, reference, ord(case_id))
        return ImageFile(image), ReferenceFile(reference)


class Loose(Good):
    class Options(Options):
        model_config = ConfigDict(extra="allow")


class NamesItsFolder(Good):
    def identity(self):
        return {"data": str(Path.cwd() / "cohort")}


class Restless(Good):
    opened = 0

    def identity(self):
        Restless.opened += 1
        return {"opened": Restless.opened}


class RestlessRecipe(Good):
    opened = 0

    def made_from(self, case_id):
        RestlessRecipe.opened += 1
        return {"case": case_id, "opened": RestlessRecipe.opened}


class NoTest(Good):
    def split(self):
        return Split("all-train", ("a", "b"), (), ())


class HealthyInSplit(Good):
    def healthy(self):
        return ("a",)


class BrokenFile(Good):
    def _files(self, case_id):
        image, reference = super()._files(case_id)
        image.path.write_bytes(image.path.read_bytes()[:100])
        return image, reference


class OtherGrid(Good):
    def _files(self, case_id):
        image, reference = super()._files(case_id)
        nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4)), reference.path)
        return image, reference


class NewImageEachTime(Good):
    opened = 0

    def __init__(self, options):
        super().__init__(options)
        NewImageEachTime.opened += 1
        self._number = NewImageEachTime.opened

    def image(self, case_id):
        path = self.options.data / f"{case_id}-{self._number}.nii.gz"
        write_case(path, self.options.data / f"{case_id}-mask.nii.gz", self._number)
        return ImageFile(path)


def test_a_good_data_set_passes(tmp_path):
    results = check_dataset(Good, Options(data=tmp_path))
    assert failed(results) == {}
    assert [result.name for result in results] == ["options", "identity", "split", "files", "same files"]


@pytest.mark.parametrize(
    ("dataset", "check", "message"),
    [
        (Loose, "options", "accepts unknown names"),
        (NamesItsFolder, "identity", "path of this machine"),
        (Restless, "identity", "differ"),
        (RestlessRecipe, "identity", "made_from differs"),
        (NoTest, "split", "no test case"),
        (HealthyInSplit, "split", "case a is declared healthy"),
        (BrokenFile, "files", "2 problems, first: .*a-image.nii.gz"),
        (OtherGrid, "files", "not on the grid"),
        (NewImageEachTime, "same files", "different images for a"),
    ],
)
def test_a_bad_data_set_is_caught(dataset, check, message, tmp_path):
    broken = failed(check_dataset(dataset, dataset.Options(data=tmp_path)))
    assert check in broken
    assert re.search(message, broken[check]), broken
