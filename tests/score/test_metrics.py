"""What a metric may be: checked where a plugin makes it, and where a run's record describes it."""

import json

import numpy as np
import pytest

from tests.report.conftest import made
from unseg_bench.errors import PluginError
from unseg_bench.plugins.metric import LARGEST, Metric
from unseg_bench.report.case_rows import columns_of
from unseg_bench.run.record import check_record
from unseg_bench.score import metrics
from unseg_bench.score.case import score_case
from unseg_bench.score.metrics import BUILT_IN, metrics_of
from unseg_bench.score.table import COLUMNS, NAME_COLUMN

FACTS = {"title": "volume error", "about": "apart", "higher_is_better": False, "best": 0.0, "worst": 5.0, "unit": "ml"}
SPACING_MM = (1.0, 2.0, 0.5)


def a_metric(**changes):
    return Metric(**{"name": "volume_error_ml", **FACTS, **changes})


def masks(*filled):
    found = np.zeros((2, 6, 7, 8), dtype=bool)
    for place in filled:
        found[place, 1:3, 2:4, 3:6] = True
    return found


def test_a_metric_survives_being_written_and_read():
    made_once = a_metric(worst="diagonal", digits=3, code="abc", measure=lambda *_: 0.0)
    read = metrics_of({"metrics": {"volume_error_ml": json.loads(json.dumps(made_once.facts))}})
    assert list(read) == [*BUILT_IN, "volume_error_ml"]
    assert read["volume_error_ml"] == made_once
    assert (made_once.short, made_once.heading, made_once.difference_unit) == ("volume_error", "volume error ml", "ml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Volume error"}, "small letters"),
        ({"name": "x" * 41}, "40 at most"),
        ({"name": 3}, "name is not of type str"),
        ({"title": "\x1b[2J"}, "title .* no printable text"),
        ({"title": ""}, "must say something"),
        ({"about": "x" * 201}, "at most 200 letters"),
        ({"unit": None}, "unit is not of type str"),
        ({"higher_is_better": 1}, "not of type bool"),
        ({"best": float("nan")}, "best and scale are numbers"),
        ({"worst": "much"}, "worst is a number"),
        ({"worst": [1]}, "worst is a number"),
        ({"worst": 2 * LARGEST}, "worst is a number"),
        ({"scale": 0.0}, "scale above 0"),
        ({"digits": 7}, "digits is 0 to 6"),
        ({"worst": None}, "measures_empty=True"),
    ],
)
def test_what_is_no_metric_is_refused_in_a_plugin_and_in_a_record(changes, said):
    with pytest.raises(PluginError, match=said):
        a_metric(**changes)
    name = changes.get("name", "volume_error_ml")
    if isinstance(name, str) and not changes.get("title", "").startswith("\x1b"):
        with pytest.raises(ValueError, match=f"metrics: .*{said}|no finite number"):
            check_record({"metrics": {name: {**FACTS, **{one: own for one, own in changes.items() if one != "name"}}}})


def test_a_record_cannot_say_what_a_metric_of_the_package_is():
    assert metrics_of({"metrics": {"dsc": {**FACTS, "higher_is_better": False}}}) == BUILT_IN


def test_no_plugin_can_take_the_name_of_a_column():
    columns = {*COLUMNS, NAME_COLUMN, *columns_of(made()), *(metric.short for metric in BUILT_IN.values())}
    assert columns <= {*metrics._TAKEN, *BUILT_IN, *(metric.short for metric in BUILT_IN.values())}


def test_what_empty_masks_earn_is_the_metric_s_own_word():
    asked = []
    ruled = a_metric(name="ruled", measure=lambda *_: asked.append(1) or 7.0)
    free = a_metric(name="free", worst=None, measures_empty=True, measure=lambda one, other, _: one.sum() - other.sum())
    for filled, values in (((0, 1), (7.0, 0)), ((0,), (5.0, 12)), ((1,), (5.0, -12)), ((), (0.0, 0))):
        reference, prediction = masks(*filled)
        score = score_case(prediction, reference, SPACING_MM, metrics=[ruled, free])
        assert (score.values["ruled"], score.values["free"]) == values
        assert isinstance(score.values["free"], float)
    assert asked == [1]
