"""A lead in the mean that assumes no shape of the differences, and that rare failures have been seen even less."""

import math

import numpy as np
from numpy.typing import NDArray

_LOG_RANGE, _LOG_STEP, _STEP_CASES = 25.0, 0.05, 300
"""The integral is taken over log t, where it decays at both ends; more cases than these need finer steps."""


def worst_case_p(leads: NDArray[np.float64], failure: float) -> float:
    """P value of 'the mean lead is 0 or less' from `leads` (n), which no failure takes below `failure` (below 0).

    Gaffke's bound (Mathematical Methods of Statistics 14 (2005) 451; Phan et al., ICML 2021): the n leads and one case
    of a failure get weights that are uniform over all weights of sum 1; p is the probability that their weighted mean
    is 0 or less. It assumes nothing of the shape. Where all leads are alike it is the rule of three: 3 failures in n
    cases can have gone unseen. The probability is that of a sum of exponentials, by Imhof's integral
    (Biometrika 48 (1961) 419).
    """
    values = np.append(leads, failure)
    if values.min() >= 0.0:
        return 0.0
    if values.max() <= 0.0:
        return 1.0
    step = _LOG_STEP * min(1.0, math.sqrt(_STEP_CASES / len(values)))
    u = np.arange(-_LOG_RANGE, _LOG_RANGE, step)
    angles = np.exp(u)[:, None] * (values / np.abs(values).max())
    phase = np.arctan(angles).sum(axis=1)
    size = np.exp(-0.5 * np.log1p(angles**2).sum(axis=1))
    p = 0.5 - float((np.sin(phase) * size).sum()) * step / np.pi
    return min(max(p, 0.0), 1.0)
