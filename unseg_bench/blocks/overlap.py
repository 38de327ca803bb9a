"""How far two masks agree."""

import numpy as np
from numpy.typing import NDArray


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_], *, empty: float) -> float:
    """Return the Dice coefficient (0-1) of two masks of one shape; `empty`: what it is where both are empty."""
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2.0 * int(np.count_nonzero(one & other)) / total if total else empty


def best_level(values: NDArray[np.floating], inside: NDArray[np.bool_], positives: int) -> tuple[float | None, float]:
    """Return the level t for which `values >= t` has the best Dice with `inside`, and that Dice; both (N,).

    Exact: every distinct value is tried, in one pass over the sorted values. Of equals the highest level is taken.
    `positives`: voxels of the reference, those that are none of the N included. None where no level finds any of it.
    """
    order = np.argsort(values)[::-1]
    ranked = values[order]
    last_of_its_value = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    found = np.cumsum(inside[order])[last_of_its_value]
    if not found.size or found[-1] == 0:
        return None, float(positives == 0)
    taken = 1 + np.flatnonzero(last_of_its_value)
    scores = 2 * found / (taken + positives)
    best = int(scores.argmax())
    return float(ranked[taken[best] - 1]), float(scores[best])
