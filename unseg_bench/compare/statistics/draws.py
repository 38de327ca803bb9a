"""Random draws that no other method and no order of cases changes: each has a generator of its own."""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 2_000_000
"""So many numbers are drawn at once at most (16 MB), however many the cases."""


def generator(seed: int, *key: str) -> np.random.Generator:
    """The generator of one purpose: `seed` and a key such as ('sign-flip', column, label, label)."""
    return np.random.default_rng([seed, int.from_bytes(sha256("\0".join(key).encode()).digest()[:16], "big")])


def oriented(differences: NDArray[np.float64], a: str, b: str) -> tuple[NDArray[np.float64], int]:
    """Differences in ascending order as the alphabetically first label has them, and the sign that turns them back.

    What is drawn from them is then the same for a against b and b against a, in whatever order the cases come.
    """
    sign = 1 if a <= b else -1
    return np.sort(sign * differences), sign
