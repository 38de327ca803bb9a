import nibabel as nib
import numpy as np


def silent(done, total, what):
    pass


def test_a_sound_data_set_has_no_problem_and_is_described(small):
    check = small.check(silent)
    assert check.cases == 6
    assert not check.problems
    assert not check.remedy
    text = "\n".join(check.notes)
    assert "train: 2 cases" in text
    assert "healthy: 1 case" in text
    assert "10 x 12 x 9: all" in text
    assert "values in the reference masks: 0, 1, 2" in text
    assert "no reference mask" not in text, "healthy cases need none"


def test_each_thing_that_is_wrong_is_said_once_with_its_file(small):
    small.image("a").path.unlink()
    small.image("b").path.write_bytes(b"junk")
    small.reference("c").path.unlink()
    moved = nib.load(small.reference("d").path)
    nib.save(nib.Nifti1Image(moved.get_fdata().astype(np.uint8), np.eye(4)), moved.get_filename())
    small.image("h").path.write_bytes(small.image("h").path.read_bytes()[:-50])
    check = small.check(silent)
    assert len(check.problems) == 5
    for problem, name in zip(
        check.problems, ["a.nii.gz", "b.nii.gz", "c_seg.nii.gz", "d_seg.nii.gz", "h.nii.gz"], strict=True
    ):
        assert name in problem
    assert check.remedy


def test_cases_without_tumour_or_with_odd_labels_are_noted(small):
    reference = nib.load(small.reference("d").path)
    nib.save(nib.Nifti1Image(np.zeros(reference.shape, np.uint8), reference.affine), reference.get_filename())
    other = nib.load(small.reference("e").path)
    nib.save(nib.Nifti1Image(-other.get_fdata().astype(np.int16), other.affine), other.get_filename())
    check = small.check(silent)
    assert any("no tumour in the reference mask: 1 case, d" in note for note in check.notes)
    assert len(check.problems) == 1
    assert "e_seg.nii.gz: has the label -2" in check.problems[0]


def test_cases_without_a_reference_are_noted(small):
    small.reference = lambda case_id: None
    assert any(
        "neither score nor supervision: 5 cases, a, b, c and 2 more" in note for note in small.check(silent).notes
    )
