import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from pydantic import ValidationError
from unseg_bench_datasets import phantom
from unseg_bench_datasets.phantom import PhantomDataset, PhantomOptions, ubench_datasets

from unseg_bench.blocks.phantom.generator import Phantom
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import DataError

SMALL = {"train": 3, "valid": 1, "test": 2, "healthy": 1, "spacing_mm": 4.0}


def opened(**options):
    return PhantomDataset(PhantomOptions(**(SMALL | options)))


@pytest.fixture
def asked(monkeypatch):
    """Replace the generator by a quick one and return the arguments that it is called with."""
    calls = []

    def quick(*, cohort_seed, case_index, tumour_ml, spacing_mm):
        calls.append({"seed": cohort_seed, "index": case_index, "ml": tumour_ml, "mm": spacing_mm})
        image = np.full((4, 5, 6), 1 + case_index, np.float32)
        reference = np.zeros(image.shape, bool)
        reference[1, 1, 1] = tumour_ml is not None
        affine = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
        return Phantom(image, reference, affine, (spacing_mm,) * 3, tumour_ml or 0.0, "plain")

    monkeypatch.setattr("unseg_bench.blocks.phantom.generator.generate_phantom", quick)
    return calls


def test_parts_ids_and_defaults():
    split = opened().split()
    assert split.train == ("phantom-0001", "phantom-0002", "phantom-0003")
    assert split.valid == ("phantom-0004",)
    assert split.test == ("phantom-0005", "phantom-0006")
    assert opened().healthy() == ("phantom-healthy-0001",)
    assert not PhantomDataset.evidence
    assert PhantomDataset.default_preset == "demo"
    assert ubench_datasets() == [PhantomDataset]
    for bad in ({"test": 0}, {"train": -1}, {"spacing_mm": 0.1}, {"cases": 3}):
        with pytest.raises(ValidationError):
            PhantomOptions(**bad)


def test_files_are_made_once_on_first_need_both_at_a_time_in_separate_folders(asked):
    dataset = opened()
    assert not (cache_dir() / "phantom").exists()
    image = dataset.image("phantom-0002").path
    reference = dataset.reference("phantom-0002").path
    assert len(asked) == 1
    assert reference.name == image.name == "phantom-0002.nii.gz"
    assert (image.parent.name, reference.parent.name) == ("images", "references")
    assert image.parent.parent == reference.parent.parent
    assert cache_dir() in image.parents
    reference.unlink()
    assert opened().reference("phantom-0002").path.is_file()
    assert len(asked) == 2
    assert nib.load(image).get_fdata().max() == 2
    assert nib.load(reference).get_data_dtype() == np.uint8
    assert nib.aff2axcodes(nib.load(image).affine) == ("L", "P", "S")


def test_every_case_has_its_own_index_and_each_part_the_whole_range_of_sizes(asked):
    dataset = opened(train=6, valid=6, test=6, healthy=2, seed=9)
    split = dataset.split()
    for case_id in (*split.case_ids, *dataset.healthy()):
        dataset.image(case_id)
    assert sorted(call["index"] for call in asked) == list(range(20))
    assert {call["seed"] for call in asked} == {9}
    for start in (0, 6, 12):
        sizes = sorted(call["ml"] for call in asked[start : start + 6])
        assert sizes[0] < 6
        assert sizes[-1] > 75
    assert [call["ml"] for call in asked[18:]] == [None, None]
    assert not nib.load(dataset.reference(dataset.healthy()[0]).path).get_fdata().any()


def test_other_options_or_other_code_mean_other_files(asked, monkeypatch):
    folders = {opened(**more).image("phantom-0001").path.parent for more in ({}, {"seed": 1}, {"test": 3})}
    assert len(folders) == 3
    assert opened().image("phantom-0001").path.parent in folders
    monkeypatch.setattr(phantom, "_generator_version", lambda: "other")
    assert opened().image("phantom-0001").path.parent not in folders


def test_how_many_healthy_cases_there_are_changes_no_patient_and_no_file(asked):
    assert PhantomOptions().healthy == 12
    few, many = opened(healthy=1), opened(healthy=3)
    assert few.image("phantom-0002").path == many.image("phantom-0002").path
    assert few.image("phantom-healthy-0001").path == many.image("phantom-healthy-0001").path
    assert [call["index"] for call in asked] == [1, 6]
    assert many.image("phantom-healthy-0003").path.is_file()
    assert few.identity() != many.identity()


def test_identity_has_no_path_and_an_unknown_case_is_refused():
    assert str(cache_dir()) not in repr(opened().identity())
    assert opened().identity() == opened().identity()
    with pytest.raises(DataError, match="no case phantom-0007; its cases are phantom-0001 to phantom-healthy-0001"):
        opened().image("phantom-0007")


def test_the_real_generator_gives_cases_that_pass_the_check_and_the_same_bytes_again(monkeypatch, tmp_path):
    dataset = opened(train=1, valid=0, test=1, healthy=1)
    check = dataset.check(lambda *_: None)
    assert not check.problems
    assert check.cases == 3
    path = dataset.image("phantom-0002").path
    monkeypatch.setenv("UBENCH_CACHE", str(tmp_path))
    again = opened(train=1, valid=0, test=1, healthy=1).image("phantom-0002").path
    assert again != path
    assert again.read_bytes() == path.read_bytes()


def test_registering_the_data_sets_loads_nothing_heavy():
    code = (
        "import sys, unseg_bench_datasets.phantom, unseg_bench_datasets.folder, unseg_bench_datasets.brats2020;"
        "print([m for m in ('torch', 'nibabel', 'nilearn', 'scipy', 'monai', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
