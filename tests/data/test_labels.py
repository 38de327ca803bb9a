import re

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.data.labels import LabelAccess, read_reference
from unseg_bench.data.nifti import read_image
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import DataError, LabelAccessError

# What each level of supervision opens, written out case by case (a, b train; c valid; d, e test).
GRANTED = {
    Supervision.NONE: {"mask": "", "slice-labels": ""},
    Supervision.SLICE_LABELS: {"mask": "", "slice-labels": "abc"},
    Supervision.VALIDATION_MASKS: {"mask": "c", "slice-labels": "c"},
    Supervision.SLICE_LABELS_AND_VALIDATION_MASKS: {"mask": "c", "slice-labels": "abc"},
    Supervision.MASKS: {"mask": "abc", "slice-labels": "abc"},
    Supervision.PROMPTS_FROM_MASKS: {"mask": "abcde", "slice-labels": "abcde"},
    Supervision.TEST_MASKS: {"mask": "abcde", "slice-labels": "abcde"},
}


@pytest.fixture
def store(tmp_path):
    return PreparedStore(tmp_path / "store")


def access_of(small, store, supervision, ledger):
    return LabelAccess(small, small.split(), supervision, store, ledger.append)


def test_every_level_is_in_the_table():
    assert set(GRANTED) == set(Supervision)


@pytest.mark.parametrize("supervision", list(Supervision))
@pytest.mark.parametrize("kind", ["mask", "slice-labels"])
def test_what_was_declared_is_granted_and_written_down_and_the_rest_refused(small, store, supervision, kind):
    ledger = []
    access = access_of(small, store, supervision, ledger)
    ask = access.mask if kind == "mask" else access.slice_labels
    for case_id in "abcde":
        if case_id in GRANTED[supervision][kind]:
            assert ask(case_id, "a test").dtype == np.bool_
        else:
            with pytest.raises(
                LabelAccessError, match=f"{kind} of case {case_id}.*'a test'.*'{re.escape(supervision)}'"
            ):
                ask(case_id, "a test")
    assert [(entry["case"], entry["kind"], entry["purpose"]) for entry in ledger] == [
        (case_id, kind, "a test") for case_id in GRANTED[supervision][kind]
    ]
    assert all(entry["when"].endswith("+00:00") for entry in ledger)


def test_a_refused_read_opens_no_file(small, store, monkeypatch):
    monkeypatch.setattr("unseg_bench.data.labels.read_labels", lambda _: pytest.fail("opened a reference"))
    with pytest.raises(LabelAccessError, match="needs one of: masks, prompts-from-masks, test-masks"):
        access_of(small, store, Supervision.NONE, []).mask("a", "peeking")


def test_a_read_is_in_the_ledger_even_if_it_then_fails(small, store):
    small.reference("a").path.write_bytes(b"broken")
    ledger = []
    with pytest.raises(DataError, match="a_seg"):
        access_of(small, store, Supervision.MASKS, ledger).mask("a", "training")
    assert len(ledger) == 1


def test_masks_are_on_the_prepared_grid(small, store):
    access = access_of(small, store, Supervision.MASKS, [])
    mask, case = access.mask("a", "training"), store.prepare("a", small.image("a"))
    assert mask.shape == case.volume().shape
    original = nib.load(small.reference("a").path).get_fdata() > 0
    assert np.array_equal(case.placement.restore(mask), original)
    slices = access.slice_labels("a", "training")
    assert slices.tolist() == [bool(mask[:, :, z].any()) for z in range(mask.shape[2])]
    assert 0 < slices.sum() < len(slices)


def test_only_the_named_labels_are_tumour(small):
    image = read_image(small.image("a").path)
    assert read_reference(small, "a", image)[0].sum() == 18
    for labels, voxels in {(1,): 1, (2,): 17, (1, 2): 18, (7,): 0}.items():
        small.tumour_labels = labels
        assert read_reference(small, "a", image)[0].sum() == voxels


@pytest.mark.parametrize("change", ["shape", "origin", "spacing"])
def test_a_reference_on_another_grid_is_refused_with_both_names(small, change):
    reference = nib.load(small.reference("a").path)
    data, affine = reference.get_fdata().astype(np.uint8), reference.affine.copy()
    if change == "shape":
        data = data[1:]
    affine[0, 3] += 1.0 if change == "origin" else 0.0
    affine[:3, 0] *= 2.0 if change == "spacing" else 1.0
    nib.save(nib.Nifti1Image(data, affine), reference.get_filename())
    with pytest.raises(DataError, match=r"a_seg.nii.gz is not on the grid of .*a.nii.gz: .*Resample") as caught:
        read_reference(small, "a", read_image(small.image("a").path))
    assert {"shape": "shapes are", "origin": "origins are", "spacing": "voxel sizes are"}[change] in str(caught.value)


def test_a_case_without_a_reference_cannot_be_scored(small):
    with pytest.raises(DataError, match="no reference mask for case h"):
        read_reference(small, "h", read_image(small.image("h").path))


def test_a_reference_with_labels_below_zero_is_refused(small, store):
    reference = nib.load(small.reference("d").path)
    below = np.where(reference.get_fdata() > 0, -1, 0).astype(np.int16)
    nib.save(nib.Nifti1Image(below, reference.affine), reference.get_filename())
    with pytest.raises(DataError, match=r"d_seg\.nii\.gz: has the label -1; labels are 0 for background and above"):
        read_reference(small, "d", read_image(small.image("d").path))
