import gzip
import re
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unseg_bench.data.nifti import (
    form_at_fault,
    forms_difference,
    grid_difference,
    read_grid,
    read_image,
    read_labels,
    write_image,
    write_mask,
)
from unseg_bench.errors import DataError

AFFINE = np.array([[-1.0, 0, 0, 12], [0, -2.0, 0, 30], [0, 0, 3.0, -7], [0, 0, 0, 1]])


def save(path, data, affine=AFFINE, **header_fields):
    image = nib.Nifti1Image(data, affine)
    for name, value in header_fields.items():
        image.header[name] = value
    nib.save(image, path)
    return path


def ramp(shape=(5, 6, 7), dtype=np.float32):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def patched(path, offset, value):
    """Overwrite bytes of an uncompressed file."""
    content = bytearray(path.read_bytes())
    content[offset : offset + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_values_affine_and_spacing_are_those_that_nibabel_reads(tmp_path, suffix, dtype):
    path = save(tmp_path / f"a{suffix}", ramp(dtype=dtype))
    image, expected = read_image(path), nib.load(path)
    assert image.data.dtype == np.float32
    assert np.array_equal(image.data, expected.get_fdata(dtype=np.float32))
    assert np.array_equal(image.affine, expected.affine)
    assert image.spacing_mm == (1.0, 2.0, 3.0)


def test_slope_intercept_big_endian_and_nifti2_are_read_as_nibabel_reads_them(tmp_path):
    scaled = nib.Nifti1Image(np.linspace(-3, 9, 60).reshape(3, 4, 5), AFFINE)
    scaled.set_data_dtype(np.int16)
    big = nib.Nifti1Image(ramp(), AFFINE, nib.Nifti1Header(endianness=">"))
    for name, image in {"scaled": scaled, "big": big, "two": nib.Nifti2Image(ramp(), AFFINE)}.items():
        path = tmp_path / f"{name}.nii.gz"
        nib.save(image, path)
        expected = nib.load(path)
        assert np.allclose(read_image(path).data, expected.get_fdata(), atol=1e-5)
        assert np.array_equal(read_image(path).affine, expected.affine)


def test_a_channel_of_a_4d_file_and_trailing_axes_of_one(tmp_path):
    data = ramp((4, 5, 6, 3))
    path = save(tmp_path / "four.nii.gz", data)
    assert np.array_equal(read_image(path, channel=2).data, data[..., 2])
    assert np.array_equal(read_image(save(tmp_path / "one.nii.gz", data[..., :1])).data, data[..., 0])
    assert np.array_equal(read_image(save(tmp_path / "o.nii", data[..., :1]), channel=0).data, data[..., 0])
    vector = save(tmp_path / "vector.nii", data[:, :, :, None, :])
    assert np.array_equal(read_image(vector, channel=1).data, data[..., 1])


def test_a_gzip_file_of_several_members_and_a_gzip_file_without_its_suffix(tmp_path):
    plain = save(tmp_path / "a.nii", ramp()).read_bytes()
    (tmp_path / "members.nii.gz").write_bytes(gzip.compress(plain[:400]) + gzip.compress(plain[400:]) + b"\0" * 512)
    (tmp_path / "nosuffix.nii").write_bytes(gzip.compress(plain))
    for name in ("members.nii.gz", "nosuffix.nii"):
        assert np.array_equal(read_image(tmp_path / name).data, ramp())


def broken_files(folder):
    """Files that must be refused, with what the message must say."""
    good = save(folder / "good.nii", ramp())
    packed = gzip.compress(good.read_bytes())
    flipped = bytearray(packed)
    flipped[-20] ^= 0xFF
    raw = {
        "truncated.nii.gz": (packed[: len(packed) // 2], "cut short"),
        "notail.nii.gz": (packed[:-4], "cut short"),
        "damaged.nii.gz": (bytes(flipped), "damaged gzip|cut short"),
        "zip.nii.gz": (gzip.compress(b"PK\3\4 something else altogether" * 40), "not a NIfTI"),
        "text.nii": (b"hello", "not a NIfTI"),
        "tiny.nii": (struct.pack("<i", 348), "not a NIfTI"),
        "empty.nii.gz": (b"", "0 bytes"),
        "short.nii": (good.read_bytes()[:-10], "cut short"),
    }
    for name, (content, message) in raw.items():
        (folder / name).write_bytes(content)
        yield folder / name, message
    yield folder / "absent.nii.gz", "no such file"
    yield folder, "cannot be read"
    patches = {
        "pair.nii": (344, b"ni1\0", "single-file"),
        "zerodim.nii": (42, struct.pack("<h", 0), "empty"),
        "hugedim.nii": (42, struct.pack("<3h", 30000, 30000, 30000), "crop or resample"),
        "negdim.nii": (42, struct.pack("<h", -5), "empty"),
        "zerospacing.nii": (84, struct.pack("<f", 0), "voxel sizes"),
        "negspacing.nii": (84, struct.pack("<f", -2), "voxel sizes"),
        "nanspacing.nii": (84, struct.pack("<f", np.nan), "voxel sizes"),
        "metres.nii": (123, bytes([1]), "not mm"),
        "badtype.nii": (70, struct.pack("<h", 77), "damaged"),
        "singular.nii": (280, struct.pack("<12f", *[1, 1, 0, 0] * 3), "affine"),
        "flat.nii": (280, struct.pack("<12f", *[0.0] * 12), "affine"),
        "noffset.nii": (108, struct.pack("<f", np.nan), "damaged"),
        "infoffset.nii": (108, struct.pack("<f", np.inf), "damaged"),
        "zerooffset.nii": (108, struct.pack("<f", 0), "damaged"),
        "codes.nii": (252, struct.pack("<h", 99), "orientation codes"),
        "nanaffine.nii": (280, struct.pack("<f", np.nan), "affine"),
    }
    for name, (offset, value, message) in patches.items():
        yield patched(save(folder / name, ramp()), offset, value), message
    yield save(folder / "2d.nii", ramp((4, 5))), "3D image"
    yield save(folder / "4d.nii", ramp((4, 5, 6, 2))), "channels"
    yield save(folder / "5d.nii", ramp((4, 5, 6, 2, 2))), "3D image"
    yield save(folder / "complex.nii", ramp().astype(np.complex64)), "one number a voxel"
    for name, value in {"nan.nii.gz": np.nan, "inf.nii.gz": np.inf}.items():
        data = ramp()
        data[1, 2, 3] = value
        yield save(folder / name, data), "NaN or infinite"
    yield save(folder / "overflow.nii.gz", ramp(dtype=np.float64) * 1e300), "NaN or infinite"


def test_every_broken_file_is_a_data_error_that_names_it(tmp_path):
    count = 0
    for path, message in broken_files(tmp_path):
        count += 1
        with pytest.raises(DataError, match=message) as caught:
            read_image(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert count == 33


def test_trifles_in_the_header_are_no_reason_to_print_or_to_refuse(tmp_path, capfd):
    odd_qfac = patched(save(tmp_path / "qfac.nii", ramp()), 76, struct.pack("<f", 0))
    odd_bits = patched(save(tmp_path / "bits.nii", ramp()), 72, struct.pack("<h", 8))
    for path in (odd_qfac, odd_bits):
        assert np.array_equal(read_image(path).data, ramp())
    assert capfd.readouterr() == ("", "")


FLOATS = [struct.pack("<f", value) for value in (np.nan, np.inf, -np.inf, 0, -1, 1e30, 1e-30)]


@given(st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_corruption_escapes_as_another_exception(tmp_path, data):
    content = bytearray((tmp_path / "x.nii").read_bytes() if (tmp_path / "x.nii").exists() else b"")
    if not content:
        content = bytearray(save(tmp_path / "x.nii", ramp()).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            content[data.draw(st.integers(0, 351))] = data.draw(st.integers(0, 255))
        else:
            place = 4 * data.draw(st.integers(14, 84))
            content[place : place + 4] = data.draw(st.sampled_from(FLOATS))
    other = tmp_path / "y.nii"
    other.write_bytes(content)
    try:
        image = read_image(other)
    except DataError:
        return
    assert image.data.ndim == 3
    assert min(image.spacing_mm) > 0
    assert np.isfinite(image.affine).all()


def test_wrong_channel_is_refused(tmp_path):
    path = save(tmp_path / "four.nii.gz", ramp((4, 5, 6, 3)))
    with pytest.raises(DataError, match="no channel 3"):
        read_image(path, channel=3)
    with pytest.raises(DataError, match="no channel 1"):
        read_image(save(tmp_path / "three.nii.gz", ramp()), channel=1)


def test_labels_keep_their_integer_type_and_nearly_integer_floats_are_rounded(tmp_path):
    values = (ramp() % 5).astype(np.uint8)
    assert read_labels(save(tmp_path / "int.nii.gz", values)).data.dtype == np.uint8
    nearly = np.where(values == 1, np.float32(0.99999994), values).astype(np.float32)
    labels = read_labels(save(tmp_path / "float.nii.gz", nearly))
    assert labels.data.dtype.kind == "i"
    assert np.array_equal(labels.data, values)
    for name, odd in {"half": 0.5, "nan": np.nan, "inf": np.inf, "large": 1e9}.items():
        nearly[2, 2, 2] = odd
        with pytest.raises(DataError, match="not integer labels"):
            read_labels(save(tmp_path / f"{name}.nii.gz", nearly))


def test_written_masks_keep_affine_codes_and_units_and_are_the_same_bytes_each_time(tmp_path):
    source = nib.Nifti1Image(ramp(dtype=np.int16), AFFINE)
    source.header.set_xyzt_units("mm", "sec")
    source.set_qform(AFFINE, code=1)
    source.set_sform(AFFINE, code=4)
    source.header["descrip"] = b"scanner"
    source.header.set_slope_inter(2.0, 5.0)
    nib.save(source, tmp_path / "image.nii.gz")
    image = read_image(tmp_path / "image.nii.gz")
    mask = np.random.default_rng(0).random(image.shape) > 0.5
    for name in ("one.nii.gz", "two.nii.gz", "three.nii"):
        write_mask(tmp_path / name, mask, image)
        written = nib.load(tmp_path / name)
        assert written.get_data_dtype() == np.uint8
        assert np.array_equal(np.asanyarray(written.dataobj), mask)
        assert np.array_equal(written.affine, source.affine)
        assert [int(written.header[code]) for code in ("qform_code", "sform_code")] == [1, 4]
        assert written.header.get_xyzt_units() == ("mm", "sec")
        assert np.array_equal(written.header["pixdim"], nib.load(tmp_path / "image.nii.gz").header["pixdim"])
        assert not grid_difference(read_labels(tmp_path / name), image)
    content = (tmp_path / "one.nii.gz").read_bytes()
    assert content == (tmp_path / "two.nii.gz").read_bytes()
    assert content[4:8] == b"\0\0\0\0", "no time in the gzip header"
    assert not content[3] & 0x08, "no file name in the gzip header"
    assert {path.name for path in tmp_path.iterdir()} == {"image.nii.gz", "one.nii.gz", "two.nii.gz", "three.nii"}


def test_a_mask_like_a_channel_of_a_nifti2_file_is_a_3d_nifti2_file(tmp_path):
    nib.save(nib.Nifti2Image(ramp((4, 5, 6, 2)), AFFINE), tmp_path / "image.nii.gz")
    image = read_image(tmp_path / "image.nii.gz", channel=1)
    write_mask(tmp_path / "mask.nii.gz", image.data > 50, image)
    written = nib.load(tmp_path / "mask.nii.gz")
    assert isinstance(written, nib.Nifti2Image)
    assert written.shape == (4, 5, 6)
    assert np.array_equal(written.get_fdata(), image.data > 50)


def test_extensions_of_the_image_are_read_over_and_not_copied(tmp_path):
    source = nib.Nifti1Image(ramp(), AFFINE)
    source.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"name of the patient " * 40))
    nib.save(source, tmp_path / "image.nii")
    image = read_image(tmp_path / "image.nii")
    assert np.array_equal(image.data, ramp())
    write_mask(tmp_path / "mask.nii", image.data > 50, image)
    assert b"patient" not in (tmp_path / "mask.nii").read_bytes()
    assert np.array_equal(nib.load(tmp_path / "mask.nii").get_fdata(), image.data > 50)


@pytest.mark.parametrize("shape", [(1, 4, 5, 6), (1, 4, 5, 6, 1), (1, 1, 4, 5, 6)])
@pytest.mark.parametrize("read", [read_grid, read_image, read_labels])
def test_an_axis_before_x_is_named_with_the_shape_that_the_file_has(tmp_path, shape, read):
    """As tools for networks write it; the first three axes alone would look like another grid."""
    with pytest.raises(DataError, match=re.escape(f"has shape {shape}; an axis of length 1 stands before X, Y and Z")):
        read(save(tmp_path / "a.nii", ramp(shape, np.uint8)))
    assert read(save(tmp_path / "slice.nii", ramp((1, 4, 5, 1), np.uint8))).shape == (1, 4, 5)


def test_a_mask_of_the_wrong_type_or_shape_is_not_written(tmp_path):
    image = read_image(save(tmp_path / "image.nii.gz", ramp()))
    for mask in (np.zeros((5, 6, 7)), np.zeros((5, 6, 8), bool)):
        with pytest.raises(ValueError, match="bool mask of shape"):
            write_mask(tmp_path / "mask.nii.gz", mask, image)
    assert not (tmp_path / "mask.nii.gz").exists()


def test_written_images_reload_exactly(tmp_path):
    data = np.random.default_rng(1).normal(size=(5, 6, 7)).astype(np.float32)
    write_image(tmp_path / "a.nii.gz", data, AFFINE)
    expected = nib.load(tmp_path / "a.nii.gz")
    assert np.array_equal(expected.get_fdata(dtype=np.float32), data)
    assert np.allclose(expected.get_sform(), AFFINE)
    assert np.allclose(expected.get_qform(), AFFINE)
    assert expected.header.get_xyzt_units()[0] == "mm"


def test_differences_between_grids_are_named(tmp_path):
    def grid(name, shape=(5, 6, 7), **changes):
        affine = AFFINE.copy()
        for place, value in changes.items():
            affine[int(place[1]), int(place[2])] = value
        return read_image(save(tmp_path / f"{name}.nii", ramp(shape), affine))

    base = grid("base")
    assert grid_difference(base, grid("same", a03=12.0005)) == ""
    assert "shapes" in grid_difference(base, grid("shape", shape=(5, 7, 6)))
    assert "origins" in grid_difference(base, grid("moved", a03=13))
    assert "voxel sizes" in grid_difference(base, grid("spacing", a00=-1.5))
    assert "orientations" in grid_difference(base, grid("flipped", a00=1))


def test_real_files_are_read_as_nibabel_reads_them(shared_dir: Path):
    case = shared_dir / "data" / "brats2013" / "brats_2013_pat0001_1"
    image = read_image(case / "Flair_subtrMeanDivStd.nii.gz")
    expected = nib.load(image.path)
    assert np.array_equal(image.data, expected.get_fdata(dtype=np.float32))
    assert np.array_equal(image.affine, expected.affine)
    assert set(np.unique(read_labels(case / "OTMultiClass.nii.gz").data)) <= {0, 1, 2, 3, 4}
    assert set(np.unique(read_labels(case / "brainmask.nii.gz").data)) == {0, 1}


def with_forms(path, sform, qform):
    image = nib.Nifti1Image(np.ones((4, 5, 6), np.uint8), sform)
    image.set_sform(sform, code=2)
    image.set_qform(qform, code=0 if qform is None else 1)
    nib.save(image, path)
    return read_grid(path)


def test_forms_of_a_header_that_disagree_are_found_and_explained(tmp_path):
    here = np.diag([-3.0, -3, 3, 1])
    away = here.copy()
    away[:3, 3] = 70, 82, -60
    image, plain = with_forms(tmp_path / "image.nii", away, here), with_forms(tmp_path / "mask.nii", here, here)
    assert forms_difference(image).startswith("of sform and qform, origins are (70, 82, -60) and")
    assert forms_difference(plain) == ""
    for one, other in ((image, plain), (plain, image)):
        said = form_at_fault(one, other)
        assert f"The sform of {tmp_path / 'image.nii'}" in said
        assert "mask.nii lies where the qform says" in said
    elsewhere = with_forms(tmp_path / "elsewhere.nii", np.diag([-2.0, -2, 3, 1]), None)
    assert form_at_fault(image, elsewhere) == "", "a grid that neither form has is not explained by them"


def test_voxel_sizes_beside_another_sform_are_found(tmp_path):
    path = save(tmp_path / "sizes.nii", ramp())
    assert forms_difference(read_grid(path)) == ""
    content = bytearray(path.read_bytes())
    content[252:254] = struct.pack("<h", 0)  # no qform
    content[80:92] = struct.pack("<3f", 1, 1, 1)
    content[280:328] = np.float32([[3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]]).tobytes()
    path.write_bytes(bytes(content))
    assert forms_difference(read_grid(path)) == "voxel sizes are (3, 3, 3) mm by the sform and (1, 1, 1) mm by pixdim"
