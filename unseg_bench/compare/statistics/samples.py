"""One sample of numbers, a case each: paired differences, and why a sample allows no test or interval."""

import numpy as np
from numpy.typing import NDArray

_DECIMALS = 10
"""Subtracting equal distances in other digits leaves some 1e-13 mm, which would make ranks of ties."""
_OUTER_FENCES = 3.0
"""Tukey's: so many interquartile ranges beyond the quartiles (Exploratory Data Analysis, 1977, chapter 2)."""


def snapped(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values rounded to 1e-10 (DSC or mm), so that ties and zeros are seen as such."""
    return np.round(values, _DECIMALS) + 0.0


def why_no_test(differences: NDArray[np.float64]) -> str | None:
    """Why no test of paired differences can be made: no case, one case, or no difference anywhere; else None."""
    if len(differences) == 0:
        return "no case in common"
    if len(differences) == 1:
        return "one case only"
    return None if snapped(differences).any() else "equal in every case"


def why_no_spread(differences: NDArray[np.float64]) -> str | None:
    """Why nothing can be divided by the spread of paired differences: `why_no_test`, or they are all the same."""
    if reason := why_no_test(differences):
        return reason
    return "the same difference in every case" if np.ptp(snapped(differences)) == 0.0 else None


def outliers(differences: NDArray[np.float64], least: float) -> int:
    """How many differences lie beyond Tukey's outer fences, and further than `least` from the median."""
    low, median, high = np.quantile(differences, (0.25, 0.5, 0.75))
    reach = _OUTER_FENCES * (high - low)
    beyond = (differences < low - reach) | (differences > high + reach)
    return int((beyond & (np.abs(differences - median) > least)).sum())
