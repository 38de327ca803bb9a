"""Files whose content is elsewhere are named as what they are, with the command that brings it."""

import os

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.data.nifti import read_grid, read_image
from unseg_bench.data.not_fetched import not_fetched
from unseg_bench.errors import DataError

ANNEX = "/annex/objects/MD5E-s8124--0123456789abcdef.nii.gz\n"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


@pytest.mark.parametrize(("text", "remedy"), [(ANNEX, "git annex get"), (LFS, "git lfs pull")])
def test_a_pointer_is_named_with_its_remedy_and_is_no_nifti_file(tmp_path, text, remedy):
    path = tmp_path / "flair.nii.gz"
    path.write_text(text)
    assert remedy in not_fetched(path)
    for read in (read_image, read_grid):
        with pytest.raises(DataError, match=rf"flair\.nii\.gz: is a git-.* pointer; fetch the content: {remedy}"):
            read(path)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("../.git/annex/objects/x/y/none.nii.gz", "a git-annex link to nowhere; fetch the content: git annex get"),
        ("gone/flair.nii.gz", "a link to nowhere; mend the link"),
        ("flair.nii.gz", "a link to nowhere"),  # to itself
    ],
)
def test_a_link_to_nowhere_is_no_missing_file(tmp_path, target, said):
    path = tmp_path / "flair.nii.gz"
    path.symlink_to(target)
    assert not_fetched(path).startswith(said)
    with pytest.raises(DataError, match=f"flair.nii.gz: is {said}"):
        read_image(path)


def test_files_that_are_there_or_are_none_are_no_pointers(tmp_path):
    sound = tmp_path / "sound.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), sound)
    (tmp_path / "linked.nii.gz").symlink_to(sound)
    (tmp_path / "empty.nii.gz").touch()
    (tmp_path / "long.nii.gz").write_text(LFS + " " * 5000)
    for name in ("sound.nii.gz", "linked.nii.gz", "empty.nii.gz", "long.nii.gz", "absent.nii.gz"):
        assert not_fetched(tmp_path / name) == ""
    os.mkfifo(tmp_path / "pipe.nii.gz")
    with pytest.raises(DataError, match=r"pipe\.nii\.gz: is a device or a pipe"):
        read_image(tmp_path / "pipe.nii.gz")
