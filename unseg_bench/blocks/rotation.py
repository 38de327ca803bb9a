"""Turns of a head or a patch in space."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]


def turn_by(matrix: Matrix, angles: NDArray[np.float64]) -> Matrix:
    """Return a matrix (3, 3) times turns in the planes (y, z), (x, z) and (x, y), in this order.

    `angles`: of each turn in radians, from the plane's first axis to its second.
    """
    for (one, other), angle in zip(((1, 2), (0, 2), (0, 1)), angles, strict=True):
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix
