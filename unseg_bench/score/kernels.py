"""Compiled loops over voxels: counting, borders, and the search for the nearest border voxel.

Each kernel runs on one thread and releases the interpreter lock: cases are scored side by side, not voxels. Compiled
code is cached next to this file or, where that cannot be written, in the user's cache folder (numba looks for the
place; the variable NUMBA_CACHE_DIR names another). All kernels stand in one file because numba checks only that file
for changes.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

_Bytes = NDArray[np.uint8]
_Steps = NDArray[np.uint16]
_Words = NDArray[np.uint64]
_Integers = NDArray[np.int64]
_Reals = NDArray[np.float64]
_Function = TypeVar("_Function", bound=Callable[..., Any])

NO_BORDER = np.uint16(65535)
"""Value in the table of `nearest_in_column` where a column holds no border voxel."""


def _compiled(function: _Function) -> _Function:
    """Compile on first use; without the disk cache where neither the package nor the home folder can be written."""
    try:
        return cast(_Function, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # numba's answer to "no place for the cache": slower at the start, the same numbers
        return cast(_Function, numba.njit(nogil=True)(function))


@_compiled
def _stretch(box: _Integers, index: int, n1: int, n2: int) -> None:
    """Stretch a box, (6,) first and last index per axis, to hold the voxel at a flat C-order index."""
    row = index // n2
    column = index - row * n2
    plane = row // n1
    row -= plane * n1
    box[0], box[1] = min(box[0], plane), max(box[1], plane)
    box[2], box[3] = min(box[2], row), max(box[3], row)
    box[4], box[5] = min(box[4], column), max(box[5], column)


@_compiled
def _count_word(word: np.uint64, start: int, box: _Integers, n1: int, n2: int) -> int:
    """Count the voxels in eight bytes that begin at flat index `start`, and stretch the box to hold them."""
    lowest, highest = 0, 7
    while (word >> np.uint64(8 * lowest)) & np.uint64(1) == np.uint64(0):
        lowest += 1
    while (word >> np.uint64(8 * highest)) & np.uint64(1) == np.uint64(0):
        highest -= 1
    if (start + lowest) // n2 == (start + highest) // n2:  # one row: its first and last voxel tell the box
        _stretch(box, start + lowest, n1, n2)
        _stretch(box, start + highest, n1, n2)
    else:
        for byte in range(lowest, highest + 1):
            if (word >> np.uint64(8 * byte)) & np.uint64(1):
                _stretch(box, start + byte, n1, n2)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@_compiled
def count_and_box(words: _Words, tail: _Bytes, shape: _Integers, box: _Integers) -> int:
    """Count the voxels of a mask and find their bounding box in one scan; returns the count.

    words: the mask's bytes (0 or 1, C order) as uint64; tail: the up to 7 bytes left over; shape: (3,) int64;
    box: (6,) int64, first and last index per axis, to be passed in as (size, -1) per axis.
    """
    n1, n2 = shape[1], shape[2]
    count = 0
    w = 0
    while w < words.size:
        if w + 4 <= words.size and (words[w] | words[w + 1] | words[w + 2] | words[w + 3]) == np.uint64(0):
            w += 4
            continue
        if words[w] != np.uint64(0):
            count += _count_word(words[w], w * 8, box, n1, n2)
        w += 1
    for t in range(tail.size):
        if tail[t]:
            count += 1
            _stretch(box, words.size * 8 + t, n1, n2)
    return count


@_compiled
def border_6(padded: _Bytes, border: _Bytes) -> int:
    """Mark the voxels of a mask with a 6-neighbour outside it; returns how many.

    padded: (A+2, B+2, C+2) uint8 of 0 and 1 with one background voxel around; border: (A, B, C) uint8, overwritten.
    """
    n0, n1, n2 = border.shape
    count = 0
    for i in range(n0):
        for j in range(n1):
            inner, below, above = padded[i + 1, j + 1], padded[i, j + 1], padded[i + 2, j + 1]
            before, after, out = padded[i + 1, j], padded[i + 1, j + 2], border[i, j]
            for k in range(n2):
                out[k] = inner[k + 1] & (
                    np.uint8(1) ^ (below[k + 1] & above[k + 1] & before[k + 1] & after[k + 1] & inner[k] & inner[k + 2])
                )
            for k in range(n2):
                count += out[k]
    return count


@_compiled
def corner_codes(padded: _Bytes, codes: _Bytes, border: _Bytes) -> int:
    """Code the 2x2x2 voxels around every voxel corner; returns how many corners lie on the surface.

    padded: (A+2, B+2, C+2) uint8; codes, border: (A+1, B+1, C+1) uint8, overwritten. Bit 7 - (4i + 2j + k) of a code is
    voxel (i, j, k) of the eight; a corner is on the surface where its eight voxels are not all alike.
    """
    n0, n1, n2 = codes.shape
    count = 0
    for i in range(n0):
        for j in range(n1):
            a, b = padded[i, j], padded[i, j + 1]
            c, d = padded[i + 1, j], padded[i + 1, j + 1]
            for k in range(n2):
                code = (a[k] << 7) | (a[k + 1] << 6) | (b[k] << 5) | (b[k + 1] << 4)
                code |= (c[k] << 3) | (c[k + 1] << 2) | (d[k] << 1) | d[k + 1]
                codes[i, j, k] = code
                border[i, j, k] = (code != 0) & (code != 255)
            for k in range(n2):
                count += border[i, j, k]
    return count


@_compiled
def nearest_in_column(border: _Bytes, steps: _Steps) -> None:
    """Write for every voxel the number of steps along the last axis to the nearest border voxel, or NO_BORDER.

    border: (A, B, C) uint8 of 0 and 1; steps: (A, B, C) uint16, overwritten.
    """
    n0, n1, n2 = border.shape
    for i in range(n0):
        for j in range(n1):
            row, out = border[i, j], steps[i, j]
            total = 0
            for k in range(n2):
                total += row[k]
            if total == 0:
                out[:] = NO_BORDER
                continue
            last = -1
            for k in range(n2):
                if row[k]:
                    last = k
                out[k] = k - last if last >= 0 else NO_BORDER
            last = -1
            for k in range(n2 - 1, -1, -1):
                if row[k]:
                    last = k
                if last >= 0 and last - k < out[k]:
                    out[k] = last - k


@_compiled
def search_rings(
    border: _Bytes,
    steps: _Steps,
    offsets: _Integers,
    lateral: _Reals,
    reach: float,
    spacing_last: float,
    distances: _Reals,
    unresolved: _Integers,
    positions: _Integers,
) -> int:
    """Find the distance from each border voxel to the nearest border voxel of the other mask, near columns first.

    border: (A, B, C) uint8, the voxels to start from; steps: `nearest_in_column` of the other mask; offsets: (R, 2)
    int64, columns in the order of lateral: (R,) squared distances in mm2, all within reach mm, and with no other column
    within it; spacing_last: mm along the last axis;
    distances: (count,) float64, overwritten in C order of the voxels; unresolved: (count,) int64 and positions:
    (count, 3) int64 take the number and the index of those voxels for which these columns do not settle the answer
    (their distance is inf). Returns how many those are.
    """
    n0, n1, n2 = border.shape
    rings = lateral.size
    number = 0
    left = 0
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                if border[i, j, k] == 0:
                    continue
                best = np.inf
                settled = False
                for r in range(rings):
                    if lateral[r] >= best:
                        settled = True
                        break
                    a, b = i + offsets[r, 0], j + offsets[r, 1]
                    if a < 0 or b < 0 or a >= n0 or b >= n1:
                        continue
                    along = steps[a, b, k]
                    if along == NO_BORDER:
                        continue
                    mm = along * spacing_last
                    squared = lateral[r] + mm * mm
                    best = min(best, squared)
                    if best == 0.0:
                        settled = True
                        break
                if settled or best <= reach * reach:
                    distances[number] = np.sqrt(best)
                else:
                    distances[number] = np.inf
                    unresolved[left] = number
                    positions[left, 0], positions[left, 1], positions[left, 2] = i, j, k
                    left += 1
                number += 1
    return left


@_compiled
def _line_transform(heights: _Reals, spacing: float, hulls: _Integers, starts: _Reals, out: _Reals) -> None:
    """Squared distance transform of one line: out[q] = min over p of (spacing (q - p))^2 + heights[p].

    Lower envelope of parabolas (Felzenszwalb and Huttenlocher 2012). hulls (n,) and starts (n + 1,) are scratch space.
    """
    size = heights.size
    top = -1
    for p in range(size):
        if heights[p] == np.inf:
            continue
        start = -np.inf
        while top >= 0:
            v = hulls[top]
            rise = (heights[p] - heights[v]) / (spacing * spacing)
            start = (rise + p * p - v * v) / (2.0 * (p - v))
            if start > starts[top]:
                break
            top -= 1
            start = -np.inf
        top += 1
        hulls[top] = p
        starts[top] = start
    if top < 0:
        out[:] = np.inf
        return
    starts[top + 1] = np.inf
    at = 0
    for q in range(size):
        while starts[at + 1] < q:
            at += 1
        mm = (q - hulls[at]) * spacing
        out[q] = mm * mm + heights[hulls[at]]


@_compiled
def transform_planes(steps: _Steps, spacing_middle: float, spacing_last: float, squared: _Reals) -> None:
    """Write for every voxel the squared distance in mm2 to the nearest border voxel of its own plane (first index).

    steps: `nearest_in_column`, (A, B, C); squared: (A, B, C) float64, overwritten; inf where a plane has none.
    """
    n0, n1, n2 = steps.shape
    heights, out = np.empty(n1), np.empty(n1)
    hulls, starts = np.empty(n1, dtype=np.int64), np.empty(n1 + 1)
    for i in range(n0):
        for k in range(n2):
            for j in range(n1):
                along = steps[i, j, k]
                mm = along * spacing_last
                heights[j] = np.inf if along == NO_BORDER else mm * mm
            _line_transform(heights, spacing_middle, hulls, starts, out)
            for j in range(n1):
                squared[i, j, k] = out[j]


@_compiled
def search_planes(positions: _Integers, squared: _Reals, first: int, spacing_first: float, distances: _Reals) -> None:
    """Find the distance in mm from each voxel to the nearest border voxel of all planes, near planes first.

    positions: (F, 3) indices on the whole grid; squared: `transform_planes` of the planes from index `first` on that
    hold border voxels; distances: (F,) float64, overwritten.
    """
    planes = squared.shape[0]
    for f in range(positions.shape[0]):
        i, j, k = positions[f, 0] - first, positions[f, 1], positions[f, 2]
        best = np.inf
        step = max(0, -i, i - planes + 1)
        while (step * spacing_first) ** 2 < best and (i - step >= 0 or i + step < planes):
            lateral = (step * spacing_first) ** 2
            if 0 <= i - step < planes:
                best = min(best, lateral + squared[i - step, j, k])
            if 0 <= i + step < planes:
                best = min(best, lateral + squared[i + step, j, k])
            step += 1
        distances[f] = np.sqrt(best)
