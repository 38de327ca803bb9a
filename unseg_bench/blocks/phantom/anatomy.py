"""One person's head: the templates sampled through a random deformation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .fields import Grid, centred_axis, smooth_field, smoothstep, spline
from .templates import CHANNELS, load_atlas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .fields import Array


HEAD_BOX_MM = (160.0, 194.0, 168.0)
_LATTICE_MM = 5.0


@dataclass(frozen=True)
class Tissue:
    """Maps of one head on one grid, each (X, Y, Z) float32.

    `grey`, `white` and `csf` are fractions, `depth_mm` the distance to the brain's surface (positive inside),
    `ventricle_mm` the distance to the lateral ventricles, `detail` the fine structure of T1, `brain` the mask
    after skull-stripping, `side` the template's x in mm (0 at the midline).
    """

    grey: Array
    white: Array
    csf: Array
    depth_mm: Array
    ventricle_mm: Array
    detail: Array
    brain: NDArray[np.bool_]
    side: Array


@dataclass(frozen=True)
class MassEffect:
    """Where a tumour pushes tissue away: centre (x, y, z) in mm, its radius and the push at its edge in mm."""

    centre_mm: NDArray[np.float64]
    radius_mm: float
    push_mm: float


class Head:
    """A random deformation of the template brain, defined on a lattice in mm and so the same at every resolution."""

    def __init__(self, rng: np.random.Generator) -> None:
        half = [length / 2 + 2 * _LATTICE_MM for length in HEAD_BOX_MM]
        counts = [int(np.ceil(2 * h / _LATTICE_MM)) + 1 for h in half]
        x, y, z = (centred_axis(n, _LATTICE_MM) for n in counts)
        self.lattice = Grid(x, y, z)
        self._source = self._deform(rng)
        self.seed_of_stripping = int(rng.integers(2**32))
        self.sulcal_gain = float(rng.uniform(1.3, 3.2))
        self.sulcal_offset = float(rng.uniform(0.10, 0.30))
        self.sulcal_reach_mm = float(rng.uniform(8.0, 40.0))
        self.stripping_mm = float(rng.uniform(-1.8, 1.8))
        self.stripping_roughness_mm = float(rng.uniform(0.4, 1.6))
        self.leftover_mm = float(rng.choice([0.0, rng.uniform(3, 9)]))
        self.cut = _cutting_plane(rng)

    def _deform(self, rng: np.random.Generator) -> Array:
        """Template positions (3, I, J, K) in mm about the template's centre for each lattice point."""
        rotation = _rotation(rng.normal(0, 0.05, 3))
        scale = rng.uniform(1.03, 1.15) * np.exp(rng.normal(0, 0.02, 3))
        shift = rng.normal(0, 1.5, 3)
        points = np.stack(np.broadcast_arrays(*self.lattice.open_mesh())).reshape(3, -1)
        moved = ((rotation * scale) @ points + shift[:, None]).astype(np.float32)
        source = moved.reshape(3, *self.lattice.shape)
        for scale_mm, size_mm in (
            (45.0, rng.uniform(1.5, 4.0)),
            (20.0, rng.uniform(0.8, 2.2)),
            (11.0, rng.uniform(0.4, 1.3)),
        ):
            for axis in range(3):
                source[axis] += np.float32(size_mm) * smooth_field(rng, self.lattice, scale_mm, 260.0)
        widening = np.float32(rng.uniform(-1.0, 4.5))
        return source - widening * self._ventricle_pull(source)

    def _ventricle_pull(self, source: Array) -> Array:
        """Unit-sized displacement (3, I, J, K) towards the ventricles, fading with the distance from them."""
        away = sample_maps(source)["ventricle_mm"]
        slope = np.array(np.gradient(away, _LATTICE_MM), np.float32)
        return slope * np.exp(-np.clip(away, 0, None) / np.float32(12.0))

    def sources(self, grid: Grid, effect: MassEffect | None) -> Array:
        """Template positions (3, X, Y, Z) in mm for the voxels of a grid."""
        source = self._source
        if effect is not None:
            source = source + self._push(effect)
        first = (float(self.lattice.x[0]), float(self.lattice.y[0]), float(self.lattice.z[0]))
        return np.stack([spline(component, first, _LATTICE_MM, grid) for component in source])

    def _push(self, effect: MassEffect) -> Array:
        """How far towards the tumour's centre the lattice points look: tissue there was pushed outwards."""
        distance = self.lattice.distance_mm(effect.centre_mm) + np.float32(1e-3)
        offsets = [axis - np.float32(c) for axis, c in zip(self.lattice.open_mesh(), effect.centre_mm, strict=True)]
        radius = np.float32(effect.radius_mm)
        ratio = distance / radius
        strength = np.where(ratio < 1, ratio, np.exp(-(ratio - 1) / 0.9)) * np.float32(effect.push_mm)
        depth = sample_maps(self._source)["depth_mm"]
        strength = strength * np.clip((depth - 1) / 14, 0, 1)
        return -np.stack(np.broadcast_arrays(*(o * (strength / distance) for o in offsets)))

    def tissue(self, grid: Grid, effect: MassEffect | None = None) -> Tissue:
        """Sample every map on a grid."""
        source = self.sources(grid, effect)
        maps = sample_maps(source)
        depth = maps["depth_mm"]
        brain = self._stripped(grid, depth)
        ventricle = maps["ventricle_mm"]
        gain, offset = np.float32(self.sulcal_gain), np.float32(self.sulcal_offset)
        csf = np.clip((maps["sulcus"] - offset) * gain, 0, 1)
        # Sulci close up with depth, the cisterns and ventricles in the middle do not.
        csf *= np.where(ventricle > 15, np.exp(-np.clip(depth - 3, 0, 25) / np.float32(self.sulcal_reach_mm)), 1)
        csf = np.maximum(csf, 1 - smoothstep(ventricle, -0.8, 0.8))
        solid = maps["grey"] + maps["white"] + np.float32(1e-3)
        rest = (1 - csf) / solid
        return Tissue(
            grey=maps["grey"] * rest,
            white=maps["white"] * rest,
            csf=csf,
            depth_mm=depth,
            ventricle_mm=ventricle,
            detail=maps["detail"],
            brain=brain,
            side=source[0],
        )

    def _stripped(self, grid: Grid, depth: Array) -> NDArray[np.bool_]:
        """The mask of a skull-stripping that errs by a mm or two, cut where the field of view ended."""
        rng = np.random.default_rng(self.seed_of_stripping)
        rough = smooth_field(rng, grid, 9.0) * np.float32(self.stripping_roughness_mm)
        low = 1 - smoothstep(grid.z, -55, -20)[None, None, :]
        extra = np.float32(self.leftover_mm) * low * smoothstep(smooth_field(rng, grid, 16.0), 0.3, 1.2)
        brain = depth > rough + np.float32(self.stripping_mm) - extra
        if self.cut is not None:
            normal, limit_mm = self.cut
            x, y, z = grid.open_mesh()
            brain &= x * normal[0] + y * normal[1] + z * normal[2] < limit_mm
        return brain


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrix about x, then y, then z, angles in radians."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _cutting_plane(rng: np.random.Generator) -> tuple[NDArray[np.float32], float] | None:
    """In one head of eight, the plane (normal, limit in mm) behind which the scan ended."""
    chosen, direction, limit = rng.random() < 0.12, rng.integers(3), rng.uniform(0.62, 0.95)
    tilt = rng.normal(0, 0.06, 3)
    normal = np.array([[0, 1, 0], [0, -1, 0], [0, 0, 1]][int(direction)]) + tilt
    return (normal.astype(np.float32), float(limit * 78.0)) if chosen else None


def sample_maps(source: Array) -> dict[str, Array]:
    """Template maps at positions (3, X, Y, Z) given in mm about the template's centre, by linear interpolation."""
    from .sampling import interpolate

    atlas = load_atlas()
    positions = source.reshape(3, -1) + np.array(atlas.centre, np.float32)[:, None]
    out = np.empty((len(CHANNELS), positions.shape[1]), np.float32)
    interpolate(atlas.maps, positions, out)
    return dict(zip(CHANNELS, out.reshape(-1, *source.shape[1:]), strict=True))
