"""How far two masks agree."""

import numpy as np
from numpy.typing import NDArray


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_], *, empty: float) -> float:
    """Return the Dice coefficient (0-1) of two masks of one shape; `empty`: what it is where both are empty."""
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2.0 * int(np.count_nonzero(one & other)) / total if total else empty
