"""Pictures of cases against the arrays that the files were made of."""

import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.errors import DataError
from unseg_bench.report.case_images import CaseImages


def turned(mask):
    return mask[::-1, ::-1]


def whole(picture, mask, shape):
    """Put a cropped mask back on the whole LPS grid."""
    full = np.zeros(shape, dtype=bool)
    full[tuple(slice(a, a + n) for a, n in zip(picture.start, mask.shape, strict=True))] = mask
    return full


def test_all_masks_are_those_of_the_files_turned_to_lps(made):
    images = CaseImages.of(made.runs)
    for case, reference in made.references.items():
        picture = images.load(case)
        assert np.array_equal(whole(picture, picture.reference, reference.shape), turned(reference))
        assert list(picture.predictions) == list(dict.fromkeys(run.label for run in made.runs))
        for label, mask in picture.predictions.items():
            expected = made.predictions[label, images.seeds[label]][case]
            assert np.array_equal(whole(picture, mask, reference.shape), turned(expected))
            assert mask.shape == picture.image.shape


def test_the_lowest_seed_is_shown(made):
    assert CaseImages.of(made.runs).seeds["good"] == 0


def test_the_image_is_cropped_to_the_head_and_black_around_it(made):
    picture = CaseImages.of(made.runs).load("case-3")
    raw = np.asarray(nib.load(made.data / "case-3" / "flair.nii.gz").dataobj)
    window = tuple(slice(a, a + n) for a, n in zip(picture.start, picture.image.shape, strict=True))
    raw = turned(raw)[window]
    assert picture.image.dtype == np.float32
    assert picture.spacing_mm == (1.5, 1.5, 1.0)
    inside = raw > 0
    assert np.corrcoef(raw[inside], picture.image[inside])[0, 1] > 0.999999
    assert (picture.image[~inside] == picture.image.min()).all()
    # 5 mm of space: 3 voxels of 1.5 mm, 5 of 1 mm where the file has so many.
    assert [int(np.flatnonzero(inside.any(axis=axes))[0]) for axes in ((1, 2), (0, 2))] == [3, 3]
    grey = picture.grey()
    assert grey.dtype == np.uint8
    assert (grey[~inside] == 0).all()
    assert grey[picture.reference].mean() > 220 > 120 > grey[inside & ~picture.reference].mean() > 40


def test_a_mask_beyond_the_head_widens_the_picture(made, tmp_path):
    run = replace(made.runs[0], folder=tmp_path / "run")
    shutil.copytree(made.runs[0].folder, run.folder)
    path = run.folder / "predictions" / "case-0.nii.gz"
    stray = made.predictions["good", 1]["case-0"].copy()
    stray[0, 55, 39] = True
    nib.Nifti1Image(stray.astype(np.uint8), nib.load(path).affine).to_filename(path)
    picture = CaseImages.of([run]).load("case-0")
    assert np.array_equal(whole(picture, picture.predictions["good"], stray.shape), turned(stray))


def test_a_case_that_a_run_lacks_has_no_mask_of_it(made):
    lacking = replace(made.runs[0], scores=[score for score in made.runs[0].scores if score.case != "case-2"])
    images = CaseImages.of([lacking, *made.runs[2:]])
    assert "good" not in images.load("case-2").predictions
    assert "good" in images.load("case-1").predictions


def test_nothing_is_written_into_a_run(made):
    before = {path: path.read_bytes() for run in made.runs for path in run.folder.rglob("*") if path.is_file()}
    CaseImages.of(made.runs).load("case-0")
    assert {path: path.read_bytes() for run in made.runs for path in run.folder.rglob("*") if path.is_file()} == before


def test_data_that_moved_are_an_error_that_names_folder_and_option(made, moved, tmp_path):
    runs = moved(made.runs, made.data, tmp_path)
    with pytest.raises(DataError, match=r"/gone/away is not a folder.*--data DIR.*--no-cases"):
        CaseImages.of(runs)
    found = CaseImages.of(runs, made.data).load("case-1").reference.sum()
    assert found == made.references["case-1"].sum()


def test_other_data_than_the_runs_are_refused(made, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(made.data, other)
    shutil.rmtree(other / "case-5")
    with pytest.raises(DataError, match=r"other is not the one of this run .*--data DIR"):
        CaseImages.of(made.runs, other)


def test_a_prediction_on_another_grid_is_refused(made, tmp_path):
    run = replace(made.runs[0], folder=tmp_path / "run")
    shutil.copytree(made.runs[0].folder, run.folder)
    path = run.folder / "predictions" / "case-0.nii.gz"
    nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)).to_filename(path)
    with pytest.raises(DataError, match=r"case-0.nii.gz is not on the grid of .*shapes are"):
        CaseImages.of([run]).load("case-0")


def test_scores_without_a_run_folder_have_no_pictures(made):
    with pytest.raises(DataError, match="--no-cases"):
        CaseImages.of([replace(run, folder=None) for run in made.runs])
    some = CaseImages.of([replace(made.runs[0], folder=None), made.runs[2]])
    assert list(some.load("case-0").predictions) == [made.runs[2].label]
