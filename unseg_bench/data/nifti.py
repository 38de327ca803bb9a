"""The one reader and writer of NIfTI files (`.nii` and `.nii.gz`, versions 1 and 2)."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.atomic import whole_file
from unseg_bench.data.nifti_bytes import read_start, read_whole
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import DataError

# What nibabel would print about trifles (SPM's taste in offsets, say) and repair; what matters is refused here.
_TRIFLES = logging.getLogger("unseg_bench.data.nifti")
_TRIFLES.addHandler(logging.NullHandler())
_TRIFLES.propagate = False

_HEADER_BYTES = {348: "nifti1", 540: "nifti2"}
_MOST_VOXELS = 2**29
"""Over all channels. An image of a head at 0.25 mm has fewer; a header may claim any number."""
_LAST_OFFSET = 2**26
"""Between header and voxels there may be notes (extensions) of some kilobytes."""
_AFFINE_TOLERANCE = 1e-3
_LABEL_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class NiftiGrid:
    """Where a file's voxels are: `shape` (X, Y, Z) in file order, `affine` 4x4 from voxel index to RAS+ mm.

    `spacing_mm` per file axis, from the affine. `header`: nibabel's Nifti1Header or Nifti2Header.
    """

    path: Path
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]
    header: Any


@dataclass(frozen=True, slots=True, eq=False)
class NiftiImage(NiftiGrid):
    """A scalar image: `data` float32 (X, Y, Z) in file order, finite everywhere."""

    data: Image


@dataclass(frozen=True, slots=True, eq=False)
class LabelImage(NiftiGrid):
    """A label map: `data` of an integer type, (X, Y, Z) in file order."""

    data: NDArray[np.integer[Any]]


def read_image(path: Path, channel: int | None = None) -> NiftiImage:
    """Read a scalar image; `channel` chooses along the fourth axis of a 4D file, counted from 0.

    Raises DataError, naming the file and the remedy, for whatever is not a finite 3D image with a usable grid.
    """
    header, raw = _read(path)
    raw = _three_axes(path, raw, channel)
    with np.errstate(over="ignore", invalid="ignore"):
        data = _scaled(header, raw).astype(np.float32, copy=False)
    if not np.isfinite(data).all():
        raise DataError(f"{path}: holds NaN or infinite values; replace them (by the background's value, say)")
    return NiftiImage(*_grid(path, header, raw.shape), data=data)


def read_labels(path: Path) -> LabelImage:
    """Read a label map. Floating-point files are taken if every value is an integer within 0.001.

    Raises DataError, naming the file and the remedy, when it is not a 3D label map with a usable grid.
    """
    header, raw = _read(path)
    raw = _three_axes(path, raw, None)
    values = _scaled(header, raw)
    if values.dtype.kind == "f":
        values = _rounded(path, values)
    return LabelImage(*_grid(path, header, raw.shape), data=values)


def read_grid(path: Path) -> NiftiGrid:
    """Read where a file's voxels are, and nothing more of it; `shape` holds its first three axes.

    Raises DataError, naming the file and the remedy, when it has no usable grid.
    """
    header, shape = _read_header(path)
    _refuse_leading_axis(path, shape)
    return NiftiGrid(*_grid(path, header, (*shape, 1, 1)[:3]))


def write_mask(path: Path, mask: Mask, like: NiftiGrid) -> None:
    """Write a mask (X, Y, Z in file order) as uint8 with the affine, codes and units of `like`, whole or not at all.

    The bytes depend on mask and header only. Raises ValueError when the mask is not bool or has another shape.
    """
    if mask.dtype != np.bool_ or mask.shape != like.shape:
        raise ValueError(f"a bool mask of shape {like.shape} is needed, not {mask.dtype} {mask.shape}")
    _write_like(path, np.asfortranarray(mask).view(np.uint8), like, level=6)


def write_map(path: Path, values: Image, like: NiftiGrid) -> None:
    """Write a map (X, Y, Z in file order) as float32 with the affine, codes and units of `like`, whole or not at all.

    Raises ValueError when it is not float32 or has another shape.
    """
    if values.dtype != np.float32 or values.shape != like.shape:
        raise ValueError(f"a float32 map of shape {like.shape} is needed, not {values.dtype} {values.shape}")
    _write_like(path, np.asfortranarray(values), like, level=1)


def write_image(path: Path, data: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Write an array (X, Y, Z) in its own type with a fresh header in mm, whole or not at all."""
    from nibabel.nifti1 import Nifti1Header

    header = Nifti1Header()
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    header.set_xyzt_units("mm")
    for set_form in (header.set_sform, header.set_qform):
        set_form(affine, code="scanner")
    _write(path, np.asfortranarray(data), affine, header, level=1)


def grid_difference(one: NiftiGrid, other: NiftiGrid) -> str:
    """Say in words how two grids differ; empty when shapes agree and affines differ by no more than 0.001."""
    if one.shape != other.shape:
        return f"shapes are {one.shape} and {other.shape}"
    worst = float(np.abs(one.affine - other.affine).max())
    if worst <= _AFFINE_TOLERANCE:
        return ""
    if not np.allclose(one.spacing_mm, other.spacing_mm, atol=_AFFINE_TOLERANCE):
        return f"voxel sizes are {_numbers(one.spacing_mm)} and {_numbers(other.spacing_mm)} mm"
    if not np.allclose(one.affine[:3, :3], other.affine[:3, :3], atol=_AFFINE_TOLERANCE):
        return "orientations differ"
    return f"origins are {_numbers(one.affine[:3, 3])} and {_numbers(other.affine[:3, 3])} mm"


def forms_difference(grid: NiftiGrid) -> str:
    """Say how a header's sform, which is the affine, differs from its qform or its voxel sizes; '' where it does not.

    Programs differ in which of them they read.
    """
    if (qform := _qform(grid)) is not None:
        difference = grid_difference(grid, qform)
        return f"of sform and qform, {difference}" if difference else ""
    sizes = grid.header["pixdim"][1:4]
    if int(grid.header["sform_code"]) and not np.allclose(sizes, grid.spacing_mm, atol=_AFFINE_TOLERANCE):
        return f"voxel sizes are {_numbers(grid.spacing_mm)} mm by the sform and {_numbers(sizes)} mm by pixdim"
    return ""


def form_at_fault(image: NiftiGrid, mask: NiftiGrid) -> str:
    """Say what to do where two grids differ only since programs read different forms of one header; '' elsewhere."""
    for grid, other in ((image, mask), (mask, image)):
        qform = _qform(grid)
        if qform is None or not grid_difference(grid, qform):
            continue
        if not all(grid_difference(qform, form) for form in (other, _qform(other)) if form is not None):
            return (
                f"The sform of {grid.path}, which is used, and its qform disagree, and {other.path.name} lies where "
                "the qform says. Make the two forms equal first (FSL: fslorient -copyqform2sform keeps the qform, "
                "-copysform2qform the sform, whose place the other file must then be given too)"
            )
    return ""


def header_bytes(grid: NiftiGrid) -> bytes:
    """Return the header as it stands in a file, for `grid_from_header`."""
    return bytes(grid.header.binaryblock)


def grid_from_header(path: Path, block: bytes, shape: tuple[int, int, int]) -> NiftiGrid:
    """Rebuild a grid from `header_bytes`; `path` is named in messages, `shape` is (X, Y, Z) in file order."""
    return NiftiGrid(*_grid(path, _parse_header(path, block), shape))


def _qform(grid: NiftiGrid) -> NiftiGrid | None:
    """Return the grid by the qform where the affine is the sform and there are both."""
    header = grid.header
    if not (int(header["sform_code"]) and int(header["qform_code"])):
        return None
    try:
        with np.errstate(all="ignore"):
            affine = np.asarray(header.get_qform(), dtype=np.float64)
    except ValueError:  # nibabel's HeaderDataError too
        return None
    return NiftiGrid(grid.path, grid.shape, affine, _spacing_mm(affine), header) if np.isfinite(affine).all() else None


def _spacing_mm(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))
    return x, y, z


def _numbers(values: Any) -> str:  # noqa: ANN401 - any sequence of numbers
    return "(" + ", ".join(f"{float(value):g}" for value in values) + ")"


def _read_header(path: Path) -> tuple[Any, tuple[int, ...]]:
    """Return nibabel's header, checked, and the shape that it gives; of the file no more than that is read."""
    header = _parse_header(path, read_start(path, max(_HEADER_BYTES)))
    shape = tuple(int(size) for size in header.get_data_shape())
    if not shape or min(shape) < 1:
        raise DataError(f"{path}: the header gives the shape {shape}; the image is empty, export it again")
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise DataError(
            f"{path}: voxels are of type {dtype}; convert the image to one number a voxel (float32 or int16)"
        )
    if (count := math.prod(shape)) > _MOST_VOXELS:
        raise DataError(
            f"{path}: the header gives the shape {shape}, {count:.2g} voxels; up to {_MOST_VOXELS:.2g} are read, "
            "crop or resample the image"
        )
    return header, shape


def _read(path: Path) -> tuple[Any, NDArray[Any]]:
    """Return nibabel's header and the stored values, unscaled, with the shape that the header gives."""
    header, shape = _read_header(path)
    dtype, offset, count = header.get_data_dtype(), int(header["vox_offset"]), math.prod(shape)
    size = offset + count * dtype.itemsize
    block = read_whole(path, size)
    if size > len(block):
        raise DataError(f"{path}: cut short, {len(block)} bytes of {size}; copy the file again")
    return header, np.frombuffer(block, dtype, count, offset).reshape(shape, order="F")


def _parse_header(path: Path, block: bytes) -> Any:  # noqa: ANN401 - nibabel has no types
    """Return nibabel's header, checked; raises DataError where nibabel would guess or repair voxel sizes."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    sizes = {int.from_bytes(block[:4], order) for order in ("little", "big")} & set(_HEADER_BYTES)
    if not sizes or len(block) < max(sizes):
        raise DataError(f"{path}: not a NIfTI file; convert it to .nii or .nii.gz (dcm2niix reads DICOM)")
    size = sizes.pop()
    header_class = Nifti2Header if size == 540 else Nifti1Header
    try:
        header = header_class(block[:size], check=False)
        if bytes(header["magic"].tobytes())[:3] not in (b"n+1", b"n+2"):
            raise DataError(f"{path}: not a single-file NIfTI (Analyze or .hdr/.img pair); convert it to .nii.gz")
        _check_fields(path, header, size)
        with np.errstate(all="ignore"):
            header.check_fix(logger=_TRIFLES)
            _ = header.get_slope_inter(), header.get_best_affine()  # both raise where their fields make no sense
    except (HeaderDataError, WrapStructError, ValueError) as error:
        raise DataError(f"{path}: the NIfTI header is damaged ({error}); export the image again") from None
    return header


def _check_fields(path: Path, header: Any, size: int) -> None:  # noqa: ANN401
    """Refuse what nibabel would repair silently or believe: voxel sizes, units, orientation codes, data offset."""
    sizes = header["pixdim"][1:4]
    if not np.isfinite(sizes).all() or sizes.min() <= 0:
        raise DataError(f"{path}: voxel sizes {_numbers(sizes)} in the header; they must be positive mm, mend pixdim")
    unit = int(header["xyzt_units"]) % 8
    if unit not in (0, 2):
        raise DataError(f"{path}: the header's unit of length is not mm (code {unit}); convert the grid to mm")
    codes = [int(header[name]) for name in ("qform_code", "sform_code")]
    if not set(codes) <= set(range(6)):
        raise DataError(f"{path}: orientation codes {codes} in the header mean nothing; mend qform_code and sform_code")
    offset = float(header["vox_offset"])
    if not np.isfinite(offset) or not size + 4 <= offset <= _LAST_OFFSET:
        raise DataError(f"{path}: the NIfTI header is damaged (data begins at byte {offset:g}); export the image again")


def _three_axes(path: Path, raw: NDArray[Any], channel: int | None) -> NDArray[Any]:
    """Choose the channel of a 4D array; trailing axes of length 1 do not count."""
    shape = raw.shape
    _refuse_leading_axis(path, shape)
    while raw.ndim > 3 and raw.shape[-1] == 1 and not (raw.ndim == 4 and channel is not None):
        raw = raw[..., 0]
    while raw.ndim > 4 and 1 in raw.shape[3:]:
        raw = raw.squeeze(axis=3 + raw.shape[3:].index(1))
    if raw.ndim == 4:
        if channel is None:
            raise DataError(
                f"{path}: has {raw.shape[3]} channels, shape {shape}; save one of them alone, or say which is FLAIR "
                "(channel, from 0)"
            )
        if not 0 <= channel < raw.shape[3]:
            raise DataError(f"{path}: has no channel {channel}; channels are 0 to {raw.shape[3] - 1}")
        return raw[..., channel]
    if raw.ndim != 3:
        raise DataError(f"{path}: has shape {shape}; a 3D image (X, Y, Z) is needed")
    if channel not in (None, 0):
        raise DataError(f"{path}: is a 3D image and has no channel {channel}; leave the channel out")
    return raw


def _refuse_leading_axis(path: Path, shape: tuple[int, ...]) -> None:
    """Raise DataError for a shape such as (1, X, Y, Z), as tools for networks write it: every axis is off by one."""
    if shape[0] == 1 and any(size > 1 for size in shape[3:]):
        raise DataError(
            f"{path}: has shape {shape}; an axis of length 1 stands before X, Y and Z, save the array without it"
        )


def _scaled(header: Any, raw: NDArray[Any]) -> NDArray[Any]:  # noqa: ANN401
    """Apply the header's slope and intercept, in double precision, where it has any."""
    slope, intercept = header.get_slope_inter()
    if (slope is None or slope == 1) and not intercept:
        return raw
    return raw * np.float64(1 if slope is None else slope) + np.float64(intercept or 0)


def _rounded(path: Path, values: NDArray[Any]) -> NDArray[np.int16]:
    """Round floating-point labels; some published masks hold 0.99999997 for 1."""
    with np.errstate(invalid="ignore"):
        rounded = np.rint(values)
        whole = (np.abs(values - rounded) <= _LABEL_TOLERANCE).all()
    if not whole or np.abs(rounded).max() > np.iinfo(np.int16).max:
        raise DataError(f"{path}: values are not integer labels; is this an image, or a mask resampled smoothly?")
    return rounded.astype(np.int16)


def _grid(path: Path, header: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:  # noqa: ANN401
    """Return the fields of a NiftiGrid; raises DataError when voxel indices do not map to distinct places."""
    with np.errstate(all="ignore"):
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        spacing = _spacing_mm(affine)
    if not np.isfinite(affine).all() or min(spacing) <= 0:
        raise DataError(f"{path}: the affine has zero or infinite voxel sizes; mend the header's sform or qform")
    if abs(np.linalg.det(affine[:3, :3] / np.array(spacing))) < 1e-4:
        raise DataError(
            f"{path}: the affine is singular (two axes point the same way); mend the header's sform or qform"
        )
    x, y, z = shape
    return path, (x, y, z), affine, spacing, header


def _write_like(path: Path, data: NDArray[Any], like: NiftiGrid, level: int) -> None:
    header = like.header.copy()
    header.set_data_dtype(data.dtype)
    for name in ("cal_min", "cal_max", "vox_offset"):
        header[name] = 0
    header.set_intent("none")
    _write(path, data, like.affine, header, level)


def _write(path: Path, data: NDArray[Any], affine: NDArray[np.float64], header: Any, level: int) -> None:  # noqa: ANN401
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    image_class = Nifti2Image if header.sizeof_hdr == 540 else Nifti1Image
    block = image_class(data, affine, header).to_bytes()
    if path.suffix == ".gz":
        from zlib_ng import zlib_ng

        # No time stamp and no name in the gzip header: the same mask gives the same bytes.
        packer = zlib_ng.compressobj(level, zlib_ng.DEFLATED, 31)
        block = packer.compress(block) + packer.flush()
    with whole_file(path) as temporary:
        temporary.write_bytes(block)
