"""Quick reading of label files: the whole file unpacked at once, labels kept as the integers they are."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unseg_bench.errors import ScoreError

Affine = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A mask with its place in space: mask (X, Y, Z) bool in file order (Fortran), affine (4, 4) voxel -> mm."""

    mask: NDArray[np.bool_]
    affine: Affine

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along X, Y, Z: the lengths of the affine's columns."""
        return spacing_of(self.affine)


def spacing_of(affine: Affine) -> tuple[float, float, float]:
    """Voxel size in mm along each axis of an affine (4, 4)."""
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0)
    return float(x), float(y), float(z)


def read_mask(path: Path, labels: tuple[int, ...] | None = None) -> LabelFile:
    """Read a .nii or .nii.gz label file as a mask.

    Args: labels that count as tumour; None is every label above 0. A 4D file with one volume is taken as 3D.
    Raises: ScoreError naming the file where it is missing, truncated, no NIfTI image, or not 3D.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        raw = path.read_bytes()
        image = nibabel.Nifti1Image.from_bytes(_unpacked(raw) if path.suffix == ".gz" else raw)
        values = np.asanyarray(image.dataobj)
    except FileNotFoundError:
        raise ScoreError(f"{path} does not exist") from None
    except (OSError, ValueError, EOFError, zlib.error, ImageFileError) as error:
        raise ScoreError(f"{path} cannot be read as a NIfTI image ({error}); it may be truncated") from error
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        raise ScoreError(f"{path} holds an array of shape {values.shape}; a mask has three axes")
    mask = values > 0 if labels is None else np.isin(values, labels)
    affine = image.affine
    if affine is None:
        raise ScoreError(f"{path} has no affine; write it with the image's own header")
    return LabelFile(mask, np.asarray(affine, dtype=np.float64))


def _unpacked(packed: bytes) -> bytes:
    """Unzip a whole file in one call of zlib-ng: several times quicker than reading through a stream."""
    from zlib_ng import gzip_ng

    return gzip_ng.decompress(packed)
