"""Surface elements of a voxel mask: the area of the marching-cubes surface in each 2x2x2 neighbourhood.

Fourteen ways to fill the eight voxels are different up to rotation, mirroring and exchange of inside and outside; all
256 follow from them. The choice of triangles is that of the surface-distance library (Nikolov et al. 2021, arXiv
1809.04430).
"""

import itertools

import numpy as np
from numpy.typing import NDArray

# code of the filled voxels (bit 7 - (4i + 2j + k) is voxel (i, j, k)): facets as |normal|, its length the area at 1 mm
_BASES: dict[int, tuple[tuple[float, float, float], ...]] = {
    0b00000000: (),
    0b00000001: ((0.125, 0.125, 0.125),),
    0b00000011: ((0.5, 0.5, 0.0),),
    0b00000110: ((0.25, 0.25, 0.25),),
    0b00000111: ((0.5, 0.0, 0.0), (0.375, 0.375, 0.375)),
    0b00001111: ((1.0, 0.0, 0.0),),
    0b00010110: ((0.375, 0.375, 0.375),),
    0b00010111: ((0.75, 0.75, 0.75),),
    0b00011000: ((0.25, 0.25, 0.25),),
    0b00011001: ((0.0, 0.5, 0.5), (0.125, 0.125, 0.125)),
    0b00011011: ((0.5, 0.5, 0.5), (0.0, 0.25, 0.25), (0.25, 0.0, 0.25)),
    0b00011110: ((0.5, 0.0, 0.0), (0.5, 0.5, 0.5)),
    0b00111100: ((1.0, 1.0, 0.0),),
    0b01101001: ((0.5, 0.5, 0.5),),
}


def _voxels(code: int) -> NDArray[np.uint8]:
    """The eight voxels of a code as a (2, 2, 2) array."""
    return np.unpackbits(np.array([code], dtype=np.uint8)).reshape(2, 2, 2)


def _code(voxels: NDArray[np.uint8]) -> int:
    """The code of a (2, 2, 2) array: the inverse of `_voxels`."""
    return int(np.packbits(voxels.ravel())[0])


def _facets() -> dict[int, NDArray[np.float64]]:
    """Facets of all 256 codes, each (F, 3), from the fourteen by the 48 symmetries of the cube and by exchange."""
    facets: dict[int, NDArray[np.float64]] = {}
    for base, normals in _BASES.items():
        voxels, vectors = _voxels(base), np.array(normals, dtype=np.float64).reshape(-1, 3)
        for order in itertools.permutations(range(3)):
            for flip in itertools.product((1, -1), repeat=3):
                turned = voxels.transpose(order)[:: flip[0], :: flip[1], :: flip[2]]
                for code in (_code(turned), 255 - _code(turned)):
                    facets.setdefault(code, vectors[:, order])
    return facets


_FACETS = _facets()


def surfel_areas(spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Area in mm2 of the surface inside each of the 256 neighbourhoods, (256,), for voxels of `spacing_mm`."""
    x, y, z = spacing_mm
    scale = np.array([y * z, x * z, x * y])
    return np.array([np.linalg.norm(_FACETS[code] * scale, axis=1).sum() for code in range(256)])
