"""Runs whose claims are known, the settings that they are asked for with, and how one of them is found."""

import numpy as np

from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings

NAMED = CompareSettings(statistics=StatisticsSettings(reference="clisc", resamples=1_999, bootstraps=200))
CHOSEN = CompareSettings(statistics=StatisticsSettings(resamples=1_999, bootstraps=200))


def drawn(make_run, n):
    """clisc beats amcons clearly, all but equals sam, is a little ahead of salip on a noise; floor is far below."""
    rng = np.random.default_rng(0)
    base = rng.beta(9, 3, n)

    def run(label, dsc, **more):
        dsc = np.clip(dsc, 0.0, 1.0)
        return make_run(label, dsc.tolist(), (60.0 * (1.0 - dsc)).tolist(), **more)

    return [
        run("clisc", base),
        run("amcons", base - 0.06 + rng.normal(0, 0.02, n)),
        run("sam", base + rng.normal(0, 0.004, n)),
        run("salip", base - 0.01 + rng.normal(0, 0.08, n)),
        run("threshold", base - 0.3, is_floor=True),
        run("lost", base - 0.5),
    ]


def about(found, family, *words):
    """The one claim of a family whose text has all the words."""
    (claim,) = [claim for claim in found if claim.family == family and all(word in claim.text for word in words)]
    return claim
