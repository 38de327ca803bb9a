"""Whatever a file holds: it is read as an image or labels that make sense, or one DataError names it."""

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from unseg_bench.data.nifti import grid_from_header, header_bytes, read_image, read_labels
from unseg_bench.data.prepare import prepare
from unseg_bench.errors import DataError

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SHAPE = (5, 6, 4)
NUMBERS = [struct.pack("<f", value) for value in (np.nan, np.inf, -np.inf, 0, -1, 1e38, -1e38, 1e-38, 348, 1e9)]
WORDS = [struct.pack("<h", value) for value in (-1, 0, 1, 2, 7, 32767, -32768, 128, 512, 2304)]


def valid(kind: str) -> bytes:
    """The bytes of a sound file: a small head on an empty background."""
    data = np.zeros(SHAPE, np.int16)
    data[1:4, 1:5, 1:3] = np.arange(24).reshape(3, 4, 2) + 1
    image_class = nib.Nifti2Image if kind == "nifti2" else nib.Nifti1Image
    header = nib.Nifti1Header(endianness=">") if kind == "big-endian" else None
    image = image_class(data.astype(np.float32) if kind == "float" else data, np.diag([-2.0, -2, 3, 1]), header)
    if kind == "scaled":
        image.header.set_slope_inter(0.5, 3)
    file = io.BytesIO()
    image.to_stream(file)
    return file.getvalue()


VALID = {kind: valid(kind) for kind in ("int16", "float", "scaled", "big-endian", "nifti2")}


def attempt(read: Callable[[], Any], path: Path) -> Any:
    """Return what is read, or None for a DataError, which must name the file in one line; nothing else may come out."""
    try:
        return read()
    except DataError as error:
        said = str(error)
    assert str(path) in said
    assert "\n" not in said
    return None


def look_at(path: Path, content: bytes) -> None:
    """Read a file as image and as labels, and prepare it for methods."""
    path.write_bytes(content)
    image = attempt(lambda: read_image(path), path)
    for found in (image, attempt(lambda: read_image(path, channel=0), path), attempt(lambda: read_labels(path), path)):
        if found is None:
            continue
        assert found.data.shape == found.shape
        assert min(found.shape) >= 1
        assert min(found.spacing_mm) > 0
        assert np.isfinite(found.affine).all()
        again = grid_from_header(path, header_bytes(found), found.shape)
        assert np.array_equal(again.affine, found.affine)
    if image is not None and (made := attempt(lambda: prepare(image), path)) is not None:
        prepared, brain, placement = made
        assert np.isfinite(prepared).all()
        assert brain.any()
        assert placement.restore(brain).shape == image.shape


@FUZZ
@given(st.binary(max_size=900))
@example(b"\x1f\x8b")
@example(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")
@example(gzip.compress(b""))
@example(gzip.compress(gzip.compress(VALID["int16"])))
@example(gzip.compress(VALID["int16"]) + b"\x1f\x8b")
@example(VALID["int16"][:348])
@example(VALID["int16"][:352])
@example(struct.pack("<i", 348) + bytes(700))
@example(struct.pack(">i", 540) + bytes(700))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    look_at(tmp_path / "x.nii.gz", content)


@FUZZ
@given(st.data())
def test_a_sound_file_with_changes(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(VALID[data.draw(st.sampled_from(sorted(VALID)))])
    for _ in range(data.draw(st.integers(1, 4))):
        change = data.draw(st.sampled_from([*NUMBERS, *WORDS]) | st.binary(min_size=1, max_size=8))
        place = data.draw(st.integers(0, 351) | st.integers(0, len(content) - 1))
        content[place : place + len(change)] = change
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    look_at(tmp_path / "x.nii", bytes(content))


@FUZZ
@given(st.data())
def test_a_packed_file_with_changes(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(gzip.compress(VALID["int16"], mtime=0))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(2, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(2, len(content))) :]
    look_at(tmp_path / "x.nii.gz", bytes(content))


@pytest.mark.parametrize("kind", sorted(VALID))
def test_the_sound_files_are_sound(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x.nii").write_bytes(VALID[kind])
    assert read_image(tmp_path / "x.nii").shape == SHAPE
    prepare(read_image(tmp_path / "x.nii"))
