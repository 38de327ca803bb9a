"""Otsu's thresholds of a histogram."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


def otsu(
    values: NDArray[np.floating[Any]],
    classes: Literal[2, 3] = 2,
    bins: int = 256,
    span: tuple[float, float] | None = None,
) -> float:
    """Return the highest threshold of Otsu's two or three classes (IEEE Trans. SMC 9:62, 1979), from a histogram.

    It maximises the variance between the classes; the threshold is the upper edge of the lower class's last bin.
    `span`: what the bins cover, None: the range of the values. Raises ValueError when there are no values.
    """
    if not values.size:
        raise ValueError("Otsu's threshold of no values at all")
    counts, edges = np.histogram(values, bins, range=span)
    weight = np.concatenate([[0.0], np.cumsum(counts)])
    moment = np.concatenate([[0.0], np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)])
    # between[i, j]: what a class of the bins i ... j-1 adds, weight * mean ** 2; the total mean is the same for all.
    mass = weight[None, :] - weight[:, None]
    sums = moment[None, :] - moment[:, None]
    between = np.divide(sums**2, mass, out=np.zeros_like(mass), where=mass > 0)
    if classes == 2:
        return float(edges[1 + int(np.argmax(between[0, 1:bins] + between[1:bins, bins]))])
    pairs = between[0, :, None] + between + between[None, :, bins]
    inner = np.triu(np.ones((bins + 1, bins + 1), dtype=np.bool_), k=1)
    inner[0], inner[:, bins] = False, False
    _, upper = np.unravel_index(int(np.argmax(np.where(inner, pairs, -np.inf))), pairs.shape)
    return float(edges[int(upper)])
