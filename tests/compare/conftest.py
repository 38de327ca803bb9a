"""Scores made up for the tests."""

import pytest

from tests.compare.claims_asked import NAMED, drawn
from unseg_bench.compare.build import compare
from unseg_bench.compare.claims import claims
from unseg_bench.compare.inputs import RunScores
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import CaseScore

DIAGONAL_MM = 90.0


@pytest.fixture(scope="session")
def make_run():
    """A function: label and one DSC (and HD95) a case in, a run out; cases are p00, p01 ... unless `volumes` says.

    volumes: case -> ml; flags: case -> its flags; every grid's diagonal is 90 mm unless `diagonal_mm` says.
    """

    def make(label, dsc, hd95_mm=None, *, volumes=None, flags=None, diagonal_mm=DIAGONAL_MM, **more):
        volumes = volumes or {f"p{i:02d}": 1.5 * (i + 1) for i in range(len(dsc))}
        hd95_mm = hd95_mm or [10.0] * len(dsc)
        scores = [
            CaseScore(
                case,
                ml,
                ml,
                dict(zip(BUILT_IN, (own, mm, mm, mm, own, own, own), strict=True)),
                diagonal_mm,
                (flags or {}).get(case, ()),
            )
            for (case, ml), own, mm in zip(volumes.items(), dsc, hd95_mm, strict=True)
        ]
        facts = {"method": label, "seed": 0, "label_free": "sealed", "dataset": "d", "split": "s", "part": "test"}
        return RunScores(**(facts | {"label": label, "scores": scores, "evidence": True} | more))

    return make


@pytest.fixture(scope="module")
def compared(make_run):
    """The methods on as many cases as the paper has."""
    return drawn(make_run, 75)


@pytest.fixture(scope="module")
def few(make_run):
    """The methods on too few cases to speak of means."""
    return drawn(make_run, 30)


@pytest.fixture(scope="module")
def said(compared):
    return claims(compare(compared, NAMED))
