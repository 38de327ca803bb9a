"""A case as a page carries it: its axial slices as one lossy WebP, its masks as runs that are exact."""

from __future__ import annotations

import base64
import io
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unseg_bench.data.volume import Mask
    from unseg_bench.report.case_images import CasePicture

QUALITY = 50
"""WebP quality of the images that a reader can tell from the original only side by side."""
SLICE_MM = 2.0
PIXEL_MM = 1.0
"""Slices and pixels are shown at about this distance; finer grids are thinned by a whole number."""
_LAST_OF_A_BYTE = 0x80


def encode_case(picture: CasePicture, quality: int = QUALITY) -> dict[str, Any]:
    """Return JSON values: size and place of the slices, image and masks in base64.

    `masks`: labels (None: the reference) in the order of `runs`; `slices`: their z on the whole file's LPS grid;
    `first`: the position among them of the reference's largest slice (the middle where it is empty).
    """
    step, stride = thinning(picture.spacing_mm)
    labels = list(picture.predictions)
    masks = [picture.reference, *(picture.predictions[label] for label in labels)]
    grey = picture.grey()
    chosen = shown_slices(grey, masks, step)
    largest = int(picture.reference.sum(axis=(0, 1)).argmax())
    tiles = _rows_first(grey, chosen, stride)
    columns = math.ceil(math.sqrt(len(chosen)))
    return {
        "case": picture.case,
        "width": tiles.shape[2],
        "height": tiles.shape[1],
        "pixel": [picture.spacing_mm[axis] * stride[axis] for axis in range(2)],
        "columns": columns,
        "slices": [picture.start[2] + z for z in chosen],
        "first": chosen.index(largest) if picture.reference.any() else len(chosen) // 2,
        "image": _text(_webp(mosaic(tiles, columns), quality)),
        "masks": [None, *labels],
        "runs": _text(pack_runs([_rows_first(mask, chosen, stride) for mask in masks])),
    }


def thinning(spacing_mm: tuple[float, float, float]) -> tuple[int, tuple[int, int]]:
    """Return every how many slices, and every how many voxels along x and y, are shown."""
    x, y, z = (
        max(1, round(wanted / spacing))
        for wanted, spacing in zip((PIXEL_MM, PIXEL_MM, SLICE_MM), spacing_mm, strict=True)
    )
    return z, (x, y)


def shown_slices(grey: NDArray[np.uint8], masks: Sequence[Mask], step: int) -> list[int]:
    """Return every `step`-th z of (X, Y, Z) with anything on it, the largest slice of the first mask among them."""
    used = {int(z) for array in (grey, *masks) for z in np.flatnonzero(array.any(axis=(0, 1)))}
    phase = int(masks[0].sum(axis=(0, 1)).argmax()) % step
    return [z for z in range(phase, grey.shape[2], step) if z in used] or [phase]


def mosaic(tiles: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Lay tiles (N, H, W) out in rows of `columns`, the last row filled with black."""
    count, height, width = tiles.shape
    rows = math.ceil(count / columns)
    filled = np.zeros((rows * columns, height, width), dtype=np.uint8)
    filled[:count] = tiles
    return filled.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)


def pack_runs(masks: Sequence[NDArray[np.bool_]]) -> bytes:
    """Pack masks (N, H, W) of one shape: lengths of runs outside and inside in turn, as LEB128, in one zlib stream.

    Each mask begins with a run outside, which may be 0 long, and its lengths add up to N * H * W. Exact, a third
    smaller than lossless WebP on masks of heads, and free of the canvas' colours, which some browsers blur on purpose.
    """
    lengths = np.concatenate([_runs(mask.ravel()) for mask in masks])
    return zlib.compress(_leb128(lengths), 9)


def _runs(flat: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the lengths of the runs of a flat mask, the first one outside."""
    ends = np.flatnonzero(np.diff(flat)) + 1
    starts = [0, 0] if flat[0] else [0]
    return np.diff(np.concatenate([starts, ends, [flat.size]]))


def _leb128(values: NDArray[np.int64]) -> bytes:
    """Write unsigned numbers below 2**35 in bytes of 7 bits, low bits first; the highest bit says that more follow."""
    shifts = np.arange(0, 35, 7)
    parts = (values[:, None] >> shifts) & 0x7F
    count = 1 + (values[:, None] >= 1 << shifts[1:]).sum(axis=1)
    position = np.arange(len(shifts))
    parts[position < count[:, None] - 1] |= _LAST_OF_A_BYTE
    return parts[position < count[:, None]].astype(np.uint8).tobytes()


def _rows_first(array: NDArray[Any], chosen: Sequence[int], stride: tuple[int, int]) -> NDArray[Any]:
    """Turn (X, Y, Z) into the shown slices (N, H, W): rows run to the back, columns to the left of the patient."""
    return np.ascontiguousarray(array[:: stride[0], :: stride[1], list(chosen)].transpose(2, 1, 0))


def _webp(pixels: NDArray[np.uint8], quality: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def _text(block: bytes) -> str:
    return base64.b64encode(block).decode("ascii")
