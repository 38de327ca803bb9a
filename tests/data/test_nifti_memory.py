"""The header bounds what is unpacked: no file takes more memory than the image that it says it is."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.data.files import ReferenceFile
from unseg_bench.data.labels import read_whole_tumour
from unseg_bench.data.nifti import read_grid, read_image, read_labels
from unseg_bench.errors import DataError, ScoreError
from unseg_bench.score.foreign_mask import MaskReader
from unseg_bench.score.predictions import score_predictions

ZEROS_MB = 64


def packed(path, shape, zeros_mb):
    """A gzip file with a right header of a mask of this shape, and so many MB of zeros behind it."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header["magic"], header["vox_offset"] = b"n+1", 352
    header.set_sform(np.diag([2.0, 2, 2, 1]), code=1)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(bytes(header.binaryblock) + bytes(4))
        for _ in range(zeros_mb):
            file.write(bytes(1 << 20))
    return path


def peak_mb(call, error, match):
    tracemalloc.start()
    with pytest.raises(error, match=match):
        call()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return peak


def test_far_more_than_the_header_says_is_not_unpacked(tmp_path):
    path = packed(tmp_path / "more.nii.gz", (8, 8, 8), ZEROS_MB)
    for read in (read_image, read_labels):
        assert peak_mb(lambda read=read: read(path), DataError, "far more than the 864 bytes of its header") < 8


def test_a_shape_beyond_any_head_is_refused_by_the_header(tmp_path):
    path = packed(tmp_path / "large.nii.gz", (1700, 1700, 1700), ZEROS_MB)
    for read in (read_image, read_labels, read_grid):
        said = peak_mb(lambda read=read: read(path), DataError, r"\(1700, 1700, 1700\), 4\.9e\+09 voxels; up to")
        assert said < 8


def test_a_mask_of_another_size_is_never_unpacked(tmp_path):
    path = packed(tmp_path / "other.nii.gz", (400, 400, 400), ZEROS_MB)
    like = read_grid(packed(tmp_path / "image.nii.gz", (8, 8, 8), 1))
    assert peak_mb(lambda: MaskReader(None, None).read(path, like), DataError, "shapes are") < 8
    assert peak_mb(lambda: read_whole_tumour(ReferenceFile(path), like), DataError, "shapes are") < 8
    reference = np.zeros((8, 8, 8), np.bool_)
    scoring = lambda: score_predictions({"x": path}, lambda _: (reference, like.affine))  # noqa: E731
    assert peak_mb(scoring, ScoreError, "has shape") < 8


def test_padding_behind_the_voxels_is_no_fault(tmp_path):
    data = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "plain.nii")
    content = (tmp_path / "plain.nii").read_bytes() + bytes(3000)
    (tmp_path / "padded.nii").write_bytes(content)
    (tmp_path / "padded.nii.gz").write_bytes(gzip.compress(content))
    for name in ("padded.nii", "padded.nii.gz"):
        assert np.array_equal(read_image(tmp_path / name).data, data)
