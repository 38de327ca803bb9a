import importlib.util
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from unseg_bench_datasets.brats2020 import Brats2020Dataset, Brats2020Options, ubench_datasets

from unseg_bench.data.labels import read_reference
from unseg_bench.data.nifti import read_image
from unseg_bench.errors import DataError

AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
ODD = "BraTS20_Training_355"


def silent(done, total, what):
    pass


def opened(folder):
    return Brats2020Dataset(Brats2020Options(data=folder))


def name_of(number):
    return f"BraTS20_Training_{number:03d}"


def make_case(folder, seed, suffix=".nii.gz", shape=(9, 10, 8)):
    rng = np.random.default_rng(seed)
    image, labels = np.zeros(shape, np.int16), np.zeros(shape, np.uint8)
    image[2:7, 2:8, 1:6] = rng.integers(50, 900, (5, 6, 5))
    labels[3:5, 3:5, 2:4] = rng.choice([1, 2, 4], (2, 2, 2))
    folder.mkdir(parents=True)
    nib.save(nib.Nifti1Image(image, AFFINE), folder / f"{folder.name}_flair{suffix}")
    mask = "W39_1998.09.19_Segm" if folder.name == ODD else f"{folder.name}_seg"
    nib.save(nib.Nifti1Image(labels, AFFINE), folder / f"{mask}{suffix}")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """All 369 cases in small, under the names of the release; every third file is not compressed."""
    root = tmp_path_factory.mktemp("brats") / "MICCAI_BraTS2020_TrainingData"
    for number in range(1, 370):
        make_case(root / name_of(number), number, ".nii" if number % 3 == 0 else ".nii.gz")
    (root / "name_mapping.csv").write_text("not a case\n")
    return root


@pytest.fixture
def copy(release, tmp_path):
    """A tree of links to the first six cases and 355, to be damaged."""
    root = tmp_path / "data"
    for number in (1, 2, 3, 4, 5, 6, 355):
        shutil.copytree(release / name_of(number), root / name_of(number))
    return root


def test_all_369_cases_are_found_read_and_split_as_published(release, shared_dir):
    dataset = opened(release)
    split = dataset.split()
    assert [len(split.part(part)) for part in ("train", "valid", "test")] == [257, 37, 75]
    assert sorted(split.case_ids) == [name_of(number) for number in range(1, 370)]
    for part in ("train", "valid", "test"):
        published = (shared_dir / "splits" / "brats2020" / f"{part}.txt").read_text().split()
        assert list(split.part(part)) == published
    calls = []
    check = dataset.check(lambda *call: calls.append(call))
    assert check.cases == 369
    assert not check.problems
    assert calls[0][:2] == (0, 369)
    assert calls[-1][:2] == (369, 369)
    text = "\n".join(check.notes)
    assert "369 of 369 cases" in text
    assert f"{ODD}: the mask has the release's odd name" in text
    assert "no image has the release's size 240 x 240 x 155" in text
    assert "values in the reference masks: 0, 1, 2, 4" in text


def test_the_split_has_its_source_beside_it():
    folder = Path(importlib.util.find_spec("unseg_bench_datasets.brats2020").origin).parent / "brats2020_split"
    assert "github.com/HiLab-git/CLISC" in (folder / "SOURCE.md").read_text()


def test_the_whole_tumour_is_every_label_above_zero(release):
    dataset = opened(release)
    for number in (3, 4, 355):
        image = read_image(dataset.image(name_of(number)).path)
        mask, _ = read_reference(dataset, name_of(number), image)
        assert mask.sum() == 8


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_folder_is_found_from_up_to_two_levels_above(release, tmp_path, above):
    nested = tmp_path / "archive" / "inner"
    nested.mkdir(parents=True)
    (nested / "MICCAI_BraTS2020_TrainingData").symlink_to(release)
    start = [nested / "MICCAI_BraTS2020_TrainingData", nested, nested.parent][above]
    assert opened(start).image(name_of(7)).path.name == "BraTS20_Training_007_flair.nii.gz"


def test_without_data_the_message_says_how_to_get_it(tmp_path):
    for options in (Brats2020Options(), Brats2020Options(data=tmp_path / "absent"), Brats2020Options(data=tmp_path)):
        with pytest.raises(DataError, match=r"www.med.upenn.edu/cbica/brats2020"):
            Brats2020Dataset(options)


def test_two_copies_below_one_folder_are_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / name_of(1)).mkdir(parents=True)
    with pytest.raises(DataError, match=r"one and in .*two; name one of them"):
        opened(tmp_path)


def test_check_says_what_is_missing_unreadable_or_of_the_wrong_shape(copy):
    (copy / name_of(1) / f"{name_of(1)}_flair.nii.gz").unlink()
    (copy / name_of(2) / f"{name_of(2)}_seg.nii.gz").unlink()
    (copy / name_of(3) / f"{name_of(3)}_flair.nii").write_bytes(b"junk")
    shutil.rmtree(copy / name_of(4))
    make_case(copy / name_of(4), 4, shape=(9, 10, 9))
    seg = copy / name_of(5) / f"{name_of(5)}_seg.nii.gz"
    nib.save(nib.Nifti1Image(np.full((9, 10, 9), 3, np.uint8), AFFINE), seg)
    check = opened(copy).check(silent)
    assert check.cases == 7
    assert "cbica" in check.remedy
    expected = {
        "lacks 362 of 369 case folders: BraTS20_Training_": 1,
        f"{name_of(1)}_flair.nii.gz is missing": 1,
        f"{name_of(2)}_seg.nii.gz is missing": 1,
        f"{name_of(3)}_flair.nii: not a NIfTI file": 1,
        f"{name_of(4)}: the image has the size (9, 10, 9), the others (9, 10, 8)": 1,
        f"{name_of(5)}_seg.nii.gz is not on the grid of": 1,
    }
    for text, times in expected.items():
        assert sum(text in problem for problem in check.problems) == times, text
    assert len(check.problems) == sum(expected.values())
    assert any("labels that the release does not have: 3" in note for note in check.notes)


def test_missing_cases_do_not_hide_the_present_ones(copy):
    dataset = opened(copy)
    assert dataset.image(name_of(6)).path.is_file()
    with pytest.raises(DataError, match=r"007_flair.nii.gz is missing .*ubench data check brats2020"):
        dataset.image(name_of(7))
    (copy / ODD / "W39_1998.09.19_Segm.nii.gz").unlink()
    with pytest.raises(DataError, match=r"355_seg.nii.gz is missing .*W39_1998"):
        dataset.reference(ODD)


def test_a_renamed_mask_of_355_is_taken_and_not_remarked_on(copy):
    odd = copy / ODD / "W39_1998.09.19_Segm.nii.gz"
    odd.rename(odd.with_name(f"{ODD}_seg.nii.gz"))
    dataset = opened(copy)
    assert dataset.reference(ODD).path.name == f"{ODD}_seg.nii.gz"
    assert not any("odd name" in note for note in dataset.check(silent).notes)


def test_identity_has_no_path(release, copy):
    assert opened(release).identity() == opened(copy).identity()
    assert "/" not in repr(opened(release).identity())


def test_it_is_registered():
    assert ubench_datasets() == [Brats2020Dataset]
