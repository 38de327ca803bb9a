from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.data.splits import Split
from unseg_bench.plugins.dataset import Dataset, DatasetOptions, ImageFile, ReferenceFile

AFFINE = np.array([[0, 2.0, 0, 4], [-1.5, 0, 0, 9], [0, 0, -3.0, 1], [0, 0, 0, 1]])


class SmallDataset(Dataset):
    """Six tiny cases in a folder; axes are permuted and flipped against the prepared orientation."""

    name = "small"
    title = "Six tiny cases"

    def __init__(self, folder: Path) -> None:
        super().__init__(DatasetOptions())
        self.folder = folder
        self.tumour_labels = None

    def identity(self):
        return {"name": self.name}

    def split(self):
        return Split("small", ("a", "b"), ("c",), ("d", "e"))

    def healthy(self):
        return ("h",)

    def image(self, case_id):
        return ImageFile(self.folder / f"{case_id}.nii.gz")

    def reference(self, case_id):
        return None if case_id == "h" else ReferenceFile(self.folder / f"{case_id}_seg.nii.gz", self.tumour_labels)


def make_case(folder: Path, case_id: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, labels = np.zeros((10, 12, 9), np.float32), np.zeros((10, 12, 9), np.uint8)
    image[2:9, 1:10, 1:8] = rng.random((7, 9, 7)) + 1
    labels[4:7, 3:6, 2:4] = 2
    labels[4, 3, 2] = 1
    nib.save(nib.Nifti1Image(image, AFFINE), folder / f"{case_id}.nii.gz")
    nib.save(nib.Nifti1Image(labels, AFFINE), folder / f"{case_id}_seg.nii.gz")


@pytest.fixture
def small(tmp_path: Path) -> SmallDataset:
    folder = tmp_path / "small"
    folder.mkdir()
    for seed, case_id in enumerate("abcdeh"):
        make_case(folder, case_id, seed)
    (folder / "h_seg.nii.gz").unlink()
    return SmallDataset(folder)
