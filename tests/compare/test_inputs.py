"""Runs that do not belong in one table are refused, and the difference is named."""

from dataclasses import replace

import pytest

from unseg_bench.compare.build import compare
from unseg_bench.compare.inputs import RunScores
from unseg_bench.errors import ScoreError
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import SCORING_RULES, CaseScore

VALUES = dict(zip(BUILT_IN, (0.5, 4.0, 4.0, 4.0, 0.5, 0.5, 0.5), strict=True))
SCORES = [CaseScore(f"p{i}", 3.0 + i, 3.0, VALUES, 90.0) for i in range(6)]
RUN = RunScores("first", "first", 0, "sealed", "brats2020", "published", "test", True, SCORES)
OTHER = replace(RUN, method="other", label="other", seed=3)


def changed(index, **values):
    return [replace(score, **values) if i == index else score for i, score in enumerate(SCORES)]


def measured(index, **values):
    return changed(index, values=VALUES | values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "folder"}, "dataset brats2020, .* dataset folder"),
        ({"split": "seed-1"}, "split published, .* split seed-1"),
        ({"part": "validation"}, "part test, .* part validation"),
        ({"evidence": False, "dataset": "phantom"}, "phantom .phantom. and first .* real data .brats2020."),
        (
            {"scoring_rules": SCORING_RULES | {"hd95": "surfel"}},
            "scoring rule hd95 is 'pooled' for first .* 'surfel' for other",
        ),
        ({"scores": SCORES[:1]}, "other .seed 3. lacks 5 of the cases of first .*: p1, p2, p3 and 2 more"),
        ({"scores": [*SCORES, replace(SCORES[0], case="p9")]}, "first .* lacks 1 of the cases of other .*: p9"),
        ({"scores": changed(2, tumour_ml=5.1)}, "case p2: the reference has 5 ml .* 5.1 ml"),
        ({"scores": measured(2, dsc=float("nan"))}, "other .*: dsc of case p2 is nan"),
        ({"scores": measured(2, hd95_mm=float("inf"))}, "other .*: hd95_mm of case p2 is inf"),
        ({"scores": []}, "other .* no scored case"),
        ({"scores": [*SCORES, SCORES[4]]}, "other .* two scores for case p4"),
        ({"label": "first", "method": "first", "seed": 0}, "first .seed 0. is given twice"),
        ({"label": "first"}, "first names two methods, first and other"),
    ],
)
def test_what_differs_is_named(values, message):
    assert compare([RUN, OTHER]).cases == tuple(score.case for score in SCORES)
    with pytest.raises(ScoreError, match=message):
        compare([RUN, replace(OTHER, **values)])


def test_runs_that_are_given_twice_are_told_by_their_folders(tmp_path):
    runs = [replace(RUN, folder=tmp_path / name) for name in ("one", "other")]
    with pytest.raises(ScoreError, match=rf"twice \({tmp_path}/one, {tmp_path}/other\); name one of the two runs only"):
        compare(runs)


def test_the_order_of_cases_does_not_matter():
    turned = replace(OTHER, scores=measured(0, dsc=0.9)[::-1])
    assert compare([RUN, turned]).rows[1].cells["dsc"].mean == pytest.approx(0.5 + 0.4 / 6)


def test_no_runs():
    with pytest.raises(ScoreError, match="no scored run"):
        compare([])
