"""The anatomy that phantoms are warped from: maps derived from the MNI152 templates that nilearn ships."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .fields import Grid, spline

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .fields import Array


CHANNELS = ("grey", "white", "sulcus", "depth_mm", "ventricle_mm", "detail")
_MARGIN = 12
_MAX_DISTANCE_MM = 40.0


@dataclass(frozen=True)
class Atlas:
    """Anatomical maps at 1 mm, x to the left, y to the back, z upwards.

    `maps` is (X, Y, Z, C) in the order of `CHANNELS`, so that what one point needs lies together in memory;
    `centre` is the middle of the brain's box in voxels (x, y, z).
    """

    maps: Array
    centre: tuple[float, float, float]


def _read_templates() -> tuple[Array, Array, Array]:
    """T1, grey and white matter at 1 mm as (X, Y, Z) arrays in LPS, cropped to the brain with a margin."""
    from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template

    def read(load: Callable[..., Any]) -> Array:
        volume: Array = load(resolution=1).get_fdata(dtype=np.float32)
        return volume[::-1, ::-1, :]

    t1 = read(load_mni152_template)
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(t1 > 0))
    grey, white = read(load_mni152_gm_template), read(load_mni152_wm_template)
    return np.pad(t1[box], _MARGIN), np.pad(grey[box], _MARGIN), np.pad(white[box], _MARGIN)


def _signed_distance_mm(mask: NDArray[np.bool_]) -> Array:
    """Distance to the outline of a mask at 1 mm, positive inside; found at 2 mm and smoothed to half a millimetre."""
    from scipy.ndimage import distance_transform_edt

    coarse = mask[::2, ::2, ::2]
    inside, outside = (np.asarray(distance_transform_edt(part), np.float32) for part in (coarse, ~coarse))
    distance = 2 * (inside - outside)
    x, y, z = (np.arange(n, dtype=np.float32) for n in mask.shape)
    edged = np.pad(distance, 1, mode="edge")
    return spline(edged, (-2.0, -2.0, -2.0), 2.0, Grid(x, y, z))


def _valleys(t1: Array) -> Array:
    """How much darker T1 is than both sides, at its strongest over nine directions: thin sheets of CSF."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(t1, 0.8)
    strongest = np.zeros_like(smooth)
    straight = [(3, 0, 0), (0, 3, 0), (0, 0, 3)]
    oblique = [(2, 2, 0), (2, -2, 0), (2, 0, 2), (2, 0, -2), (0, 2, 2), (0, 2, -2)]
    for shift in straight + oblique:
        back = tuple(-s for s in shift)
        both = np.minimum(np.roll(smooth, shift, (0, 1, 2)), np.roll(smooth, back, (0, 1, 2)))
        np.maximum(strongest, both - smooth, out=strongest)
    return strongest


def _ventricles(csf: Array, depth: Array, centre: tuple[float, float, float]) -> NDArray[np.bool_]:
    """The lateral ventricles: what is mostly CSF, deep, and in the middle of the head."""
    from scipy.ndimage import label

    x, y, z = (np.abs(np.arange(n) - c) for n, c in zip(csf.shape, centre, strict=True))
    middle = (x < 45)[:, None, None] & (y < 50)[None, :, None] & (z < 25)[None, None, :]
    labels = np.empty(csf.shape, np.int32)
    label((csf > 0.55) & (depth > 24) & middle, output=labels)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.isin(labels, np.flatnonzero(sizes > 300))


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """Read the packaged templates once a process and derive the maps from them."""
    from scipy.ndimage import gaussian_filter

    t1, grey, white = _read_templates()
    brain = t1 > 0
    # The template is cut flat below. The cut is no surface of the brain, so distances are taken as if it went on.
    extended = brain.copy()
    extended[:, :, :_MARGIN] = brain[:, :, _MARGIN : _MARGIN + 1]
    above_cut = np.arange(t1.shape[2], dtype=np.float32)[None, None, :] - _MARGIN
    depth = np.minimum(_signed_distance_mm(extended), above_cut + 0.5)
    csf = np.clip(1 - grey - white, 0, 1) * brain
    middle = [(int(axis.min()) + int(axis.max())) / 2 for axis in np.nonzero(brain)]
    centre = (middle[0], middle[1], middle[2])
    ventricle = np.clip(-_signed_distance_mm(_ventricles(csf, depth, centre)), -10, _MAX_DISTANCE_MM)
    sulcus = np.maximum(csf, 4.0 * _valleys(t1) * (grey + csf))
    sulcus[~brain] = 1
    detail = (t1 - gaussian_filter(t1, 3.0)) * brain
    return Atlas(np.stack([grey, white, sulcus, depth, ventricle, detail], axis=-1, dtype=np.float32), centre)
