"""The anatomy that phantoms are warped from: maps derived from the MNI152 templates that nilearn ships."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

CHANNELS = ("grey", "white", "sulcus", "depth_mm", "ventricle_mm", "detail")
_MARGIN = 12
_MAX_DISTANCE_MM = 40.0


@dataclass(frozen=True)
class Atlas:
    """Anatomical maps at 1 mm, x to the left, y to the back, z upwards.

    `maps` is a torch tensor (1, C, Z, Y, X) in the order of `CHANNELS`, as grid_sample wants it;
    `centre` is the middle of the brain's box in voxels (x, y, z).
    """

    maps: Any
    centre: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        z, y, x = self.maps.shape[2:]
        return int(x), int(y), int(z)


def _read_templates() -> tuple[Array, Array, Array]:
    """T1, grey and white matter at 1 mm as (X, Y, Z) arrays in LPS, cropped to the brain with a margin."""
    from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template

    loaders = (load_mni152_template, load_mni152_gm_template, load_mni152_wm_template)
    t1, grey, white = (load(resolution=1).get_fdata(dtype=np.float32)[::-1, ::-1, :] for load in loaders)
    inside = np.nonzero(t1 > 0)
    low = [int(axis.min()) for axis in inside]
    high = [int(axis.max()) + 1 for axis in inside]
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    # The template is cut flat below: repeating its lowest slice keeps distances from seeing an edge there.
    pads = [(_MARGIN, _MARGIN)] * 3
    t1, grey, white = (np.pad(np.ascontiguousarray(volume[box]), pads) for volume in (t1, grey, white))
    return t1, grey, white


def _valleys(t1: Array) -> Array:
    """How much darker T1 is than both sides, at its strongest over nine directions: thin sheets of CSF."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(t1, 0.8)
    strongest = np.zeros_like(smooth)
    directions = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)]
    for direction in directions:
        step = 3 / np.sqrt(np.abs(direction).sum())
        shift = tuple(int(round(step * d)) for d in direction)
        back = tuple(-s for s in shift)
        both = np.minimum(np.roll(smooth, shift, (0, 1, 2)), np.roll(smooth, back, (0, 1, 2)))
        np.maximum(strongest, both - smooth, out=strongest)
    return strongest


def _ventricles(csf: Array, depth: Array, centre: tuple[float, float, float]) -> NDArray[np.bool_]:
    """The lateral ventricles: what is mostly CSF, deep, and in the middle of the head."""
    from scipy.ndimage import label

    x, y, z = (np.abs(np.arange(n) - c) for n, c in zip(csf.shape, centre, strict=True))
    middle = (x < 45)[:, None, None] & (y < 50)[None, :, None] & (z < 25)[None, None, :]
    labels, _ = label((csf > 0.55) & (depth > 24) & middle)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.isin(labels, np.flatnonzero(sizes > 300))


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """Read the packaged templates once a process and derive the maps from them."""
    import torch
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    t1, grey, white = _read_templates()
    brain = t1 > 0
    floor = brain.copy()
    floor[:, :, :_MARGIN] |= brain[:, :, _MARGIN : _MARGIN + 1]
    depth = distance_transform_edt(floor) - distance_transform_edt(~floor)
    depth = np.minimum(depth, np.arange(t1.shape[2])[None, None, :] - _MARGIN + 30).astype(np.float32)
    csf = np.clip(1 - grey - white, 0, 1) * brain
    inside = np.nonzero(brain)
    middle = [(int(axis.min()) + int(axis.max())) / 2 for axis in inside]
    centre = (middle[0], middle[1], middle[2])
    ventricles = _ventricles(csf, depth, centre)
    away = distance_transform_edt(~ventricles) - distance_transform_edt(ventricles)
    away = np.clip(gaussian_filter(away, 0.6), -10, _MAX_DISTANCE_MM)
    sulcus = np.maximum(csf, 4.0 * _valleys(t1) * (grey + csf))
    sulcus[~brain] = 1
    detail = (t1 - gaussian_filter(t1, 3.0)) * brain
    maps = np.stack([grey, white, sulcus, depth, away, detail]).astype(np.float32)
    tensor = torch.from_numpy(np.ascontiguousarray(maps.transpose(0, 3, 2, 1)))[None]
    return Atlas(tensor, centre)
