"""How large paired differences d are, whatever their p."""

import numpy as np
from numpy.typing import NDArray

from unseg_bench.compare.statistics.samples import snapped, why_no_spread
from unseg_bench.compare.statistics.significance import pratt_ranks


def dz(differences: NDArray[np.float64]) -> float | None:
    """Cohen's dz, mean(d) / sd(d, ddof 1); None for one case, or for the same difference in all."""
    if why_no_spread(differences):
        return None
    return float(differences.mean() / differences.std(ddof=1))


def rank_biserial(differences: NDArray[np.float64]) -> float | None:
    """Matched-pairs rank-biserial correlation (W+ - W-) / (W+ + W-), -1 to 1, with the ranks of the test (Pratt's).

    None where every difference is 0. Kerby, Comprehensive Psychology 3 (2014) 11.IT.3.1.
    """
    ranks = pratt_ranks(snapped(differences))
    total = float(np.abs(ranks).sum())
    return float(ranks.sum()) / total if total else None


def hodges_lehmann(differences: NDArray[np.float64]) -> float:
    """Median of the Walsh averages (d_i + d_j) / 2, i <= j: the shift that Wilcoxon's test is about."""
    i, j = np.triu_indices(len(differences))
    return float(np.median((differences[i] + differences[j]) / 2.0))


def wins_ties_losses(differences: NDArray[np.float64], higher_is_better: bool) -> tuple[int, int, int]:
    """In how many cases a is better than, as good as and worse than b."""
    own = snapped(differences)
    above, below = int((own > 0).sum()), int((own < 0).sum())
    wins, losses = (above, below) if higher_is_better else (below, above)
    return wins, len(own) - above - below, losses
