"""Masks of another run, or of a folder, that are refused: references, other data, damaged files, paths."""

import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.run.sealed.mask_runs import BRIGHT, HOW, same, voxels
from unseg_bench.errors import DataError, LabelAccessError, UbenchError
from unseg_bench.run.folder import RunFolder


@HOW
@pytest.mark.parametrize("way", ["folder", "link", "hard link", "copy"])
def test_reference_masks_are_refused(masks, sealed, way):
    bench = masks.bench
    folder = bench.folder / "handed"
    folder.mkdir()
    options = bench.values()["dataset_options"]
    if way == "folder":
        for case in bench.data.glob("case-*"):
            shutil.move(case / "seg.nii.gz", folder / f"{case.name.removeprefix('case-')}.nii.gz")
        options["data"], options["reference"] = str(bench.folder), "handed/*.nii.gz"
        options["image"], options["healthy"] = "data/case-*/flair.nii.gz", None
    for case in bench.data.glob("case-*") if way != "folder" else ():
        place = folder / f"{case.name.removeprefix('case-')}.nii.gz"
        if way == "link":
            place.symlink_to(case / "seg.nii.gz")
        elif way == "hard link":
            place.hardlink_to(case / "seg.nii.gz")
        else:
            shutil.copyfile(case / "seg.nii.gz", place)
    with pytest.raises(LabelAccessError, match=r"reference mask.* of the data set 'folder'"):
        bench.run(set={"source": str(folder)}, sealed=sealed, dataset_options=options)
    refused = bench.plan(set={"source": str(folder)}, sealed=sealed, dataset_options=options).folder.record
    assert "mask_sources" not in refused
    assert refused["label_reads"] == []


def test_a_reference_put_among_a_runs_predictions_is_refused(masks):
    source = masks.source(BRIGHT)
    case = source.record["cases"][0]
    shutil.copyfile(masks.bench.data / f"case-{case}" / "seg.nii.gz", source.prediction(case))
    refined = masks.refine(source.path)
    assert "LabelAccessError" in refined.failed_cases[case]
    assert list(refined.failed_cases) == [case]


def test_an_empty_mask_is_no_copy_of_an_empty_reference(masks):
    source = masks.source(BRIGHT, set={"level": 99.0})
    for case in source.record["cases"]:
        shutil.copyfile(source.prediction(case), masks.bench.data / f"case-{case}" / "seg.nii.gz")
    assert sum(mask.sum() for mask in voxels(masks.refine(source.path)).values()) == 0


@HOW
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: None, "no such folder; masks come from a run's folder"),
        (lambda folder: folder.mkdir(), r"holds neither \d.nii.gz nor \d.nii"),
    ],
)
def test_a_source_without_masks_says_what_is_needed(masks, sealed, spoil, message):
    folder = masks.bench.folder / "nothing"
    spoil(folder)
    sealed_text = "masks come from a folder that an option of the method names"
    with pytest.raises(DataError, match=f"nothing: .*({message}|{sealed_text})"):
        masks.refine(folder, sealed=sealed)


def test_a_mask_twice_under_two_endings_is_refused(masks):
    folder = masks.folder_of(masks.source(BRIGHT))
    for file in list(folder.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
    with pytest.raises(DataError, match=r"holds both \d.nii.gz and \d.nii; one mask"):
        masks.refine(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "phantom"}, "is a run on the data set 'phantom', not on this copy of 'folder'"),
        ({"dataset_identity": {"digest": "another"}}, "is a run on the data set 'folder', not on this copy"),
        ({"state": "started"}, "this run is not finished; finish it first"),
        ({"cases": []}, r"this run has no prediction of case \d \(it segmented the part 'test'\)"),
        ({"cases": [], "failed_cases": {"3": "bad luck"}}, r"case 3 \(it failed there: bad luck\)"),
    ],
)
def test_runs_that_do_not_fit_are_refused(masks, change, message):
    source = masks.source(BRIGHT)
    source.update(change)
    with pytest.raises(DataError, match=message):
        masks.refine(source.path, case="3" if "failed_cases" in change else "")


def test_a_run_is_not_its_own_source(masks):
    own = masks.bench.plan(set={"source": str(masks.bench.folder / "link")}, sealed="off").folder.path
    shutil.copytree(masks.source(BRIGHT).path, own)
    shutil.rmtree(own / "predictions")
    RunFolder(own).update({"failed_cases": {"9": "?"}})
    (masks.bench.folder / "link").symlink_to(own)
    with pytest.raises(DataError, match="is this very run"):
        masks.refine(masks.bench.folder / "link")


@HOW
@pytest.mark.parametrize("case", ["../../etc/passwd", "3\n", "nobody"])
def test_case_ids_never_become_paths_unchecked(masks, sealed, case):
    source = masks.source(BRIGHT)
    with pytest.raises(UbenchError, match=r"cannot be used as a file name|matches no case nobody"):
        masks.refine(source.path, sealed=sealed, case=case)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("grid", "is not on the grid of .*flair.nii.gz: origins are"),
        ("nan", "values are not integer labels"),
        ("negative", "has the label -2"),
        ("labels", None),
    ],
)
def test_masks_are_read_as_labels_on_the_grid_of_the_case(masks, change, message):
    folder = masks.folder_of(masks.source(BRIGHT))
    for file in folder.iterdir():
        image = nib.load(file)
        data, affine = image.get_fdata().astype(np.float32), image.affine.copy()
        if change == "grid":
            affine[0, 3] += 5
        data = {"nan": np.where(data > 0, np.nan, 0), "negative": -2 * data, "labels": 4 * data}.get(change, data)
        nib.save(nib.Nifti1Image(data.astype(np.float32), affine), file)
    if message:
        with pytest.raises(DataError, match=message):
            masks.refine(folder)
    else:
        assert same(voxels(masks.refine(folder)), voxels(masks.source(BRIGHT)))
