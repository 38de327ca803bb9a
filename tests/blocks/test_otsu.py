"""Otsu's thresholds."""

import numpy as np
import pytest

from unseg_bench.blocks.otsu import otsu


def test_it_is_the_best_split_of_all() -> None:
    rng = np.random.default_rng(0)
    values = np.clip(np.concatenate([rng.normal(0.2, 0.05, 900), rng.normal(0.7, 0.1, 300)]), 0, 1)

    def within_variance(level: float) -> float:
        low, high = values[values <= level], values[values > level]
        return low.var() * len(low) + high.var() * len(high)

    best = min(np.linspace(0.05, 0.95, 500), key=within_variance)
    assert within_variance(otsu(values)) <= within_variance(best) * 1.01
    assert within_variance(otsu(values, span=(0.0, 1.0))) <= within_variance(best) * 1.01


def test_no_values_have_no_threshold() -> None:
    with pytest.raises(ValueError, match="no values"):
        otsu(np.zeros(0))
