"""What a method is given of one case: a prepared FLAIR image, and nothing else."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.bool_]
"""A segmentation on the volume's grid, (X, Y, Z), True inside the whole tumour."""

Image: TypeAlias = NDArray[np.float32]
"""A scalar image, (X, Y, Z)."""


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """One case as methods see it, (X, Y, Z) with x to the left, y to the back, z to the top (BraTS' own order).

    `image`: float32, z-scored inside the brain, 0 outside, cropped to the brain; read-only. `brain`: bool, same
    shape. `spacing_mm`: voxel size per axis. `digest`: identifies the image's content, for caches. `case_id`: in a run
    a neutral name, made of the image.
    """

    case_id: str
    image: Image
    brain: Mask
    spacing_mm: tuple[float, float, float]
    digest: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels per axis."""
        x, y, z = self.image.shape
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def empty_mask(self) -> Mask:
        """Return a mask of this volume's shape with nothing in it."""
        return np.zeros(self.shape, dtype=np.bool_)
