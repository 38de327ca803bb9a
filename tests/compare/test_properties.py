"""What must hold for any scores: the order in which runs and cases come changes nothing, and the parts agree."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unseg_bench.compare.build import compare
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.score.metrics import DSC
from unseg_bench.score.record import Flag

NUMBERS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0])
VOLUMES = st.sampled_from([0.5, 1.0, 1.5, 20.0])
FLAGS = st.sampled_from([(), (), (), (Flag.EMPTY_PREDICTION,)])


@st.composite
def tables(draw):
    """Volumes, and for two methods of one or two seeds a (DSC, flags) of every case, or None for a missing one."""
    volumes = draw(st.lists(VOLUMES, min_size=1, max_size=12))
    case = st.one_of(st.tuples(NUMBERS, FLAGS), st.just(None))
    rows = draw(st.lists(st.lists(case, min_size=len(volumes), max_size=len(volumes)), min_size=2, max_size=3))
    return volumes, [[one or ((0.5, ()) if i == 0 else None) for i, one in enumerate(row)] for row in rows]


def runs_of(make_run, volumes, rows):
    """The first two rows are two methods, a third one is a second seed of the first."""
    by_case = {f"c{i:02d}": ml for i, ml in enumerate(volumes)}
    runs = []
    for number, row in enumerate(rows):
        dsc = [one[0] if one else 0.0 for one in row]
        flags = {case: one[1] for case, one in zip(by_case, row, strict=True) if one}
        run = make_run(
            "ab"[number % 2], dsc, [90 * (1 - x) for x in dsc], volumes=by_case, flags=flags, seed=number // 2
        )
        runs.append(replace(run, scores=[score for score, one in zip(run.scores, row, strict=True) if one]))
    return runs


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    table=tables(),
    seed=st.integers(0, 99),
    groups=st.integers(1, 6),
    empty=st.sampled_from(["diagonal", "exclude", "zero"]),
    missing=st.sampled_from(["common", "worst"]),
)
def test_the_order_of_runs_and_cases_changes_nothing(make_run, table, seed, groups, empty, missing):
    wanted = CompareSettings(groups=groups, empty=empty, missing=missing)
    runs = runs_of(make_run, *table)
    shuffler = random.Random(seed)
    turned = [replace(run, scores=shuffler.sample(run.scores, len(run.scores))) for run in runs]
    found, other = compare(runs, wanted), compare(turned, wanted)
    assert found.to_json() == other.to_json()
    shuffler.shuffle(turned)
    mixed = compare(turned, wanted)
    assert mixed.columns == found.columns
    assert {row.label: row for row in mixed.rows} == {row.label: row for row in found.rows}
    assert {row.label: row for row in mixed.policies} == {row.label: row for row in found.policies}
    for test in found.tests:
        assert mixed.test(test.column) == test or mixed.test(test.column).tied
        assert mixed.test(test.column).p == pytest.approx(test.p)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(table=tables(), groups=st.integers(1, 6))
def test_groups_add_up_to_the_whole(make_run, table, groups):
    found = compare(runs_of(make_run, *table), CompareSettings(groups=groups, missing="worst"))
    parts = [column for column in found.columns if column.group is not None and column.metric == DSC]
    numbers = [column.n for column in parts]
    assert sum(numbers) == len(found.cases)
    assert max(numbers) - min(numbers) <= 1
    for row in found.rows:
        for metric in ("dsc", "hd95_mm"):
            cells = [row.cells[column.key.replace("dsc", metric)] for column in parts]
            whole = row.cells[metric]
            assert sum(cell.mean * cell.n for cell in cells) == pytest.approx(whole.mean * whole.n)
            assert sum(cell.missing for cell in cells) == whole.missing
            assert sum(cell.empty_predictions for cell in cells) == whole.empty_predictions
    ranks = [row.cells["rank"].mean for row in found.policies]
    assert sum(ranks) == pytest.approx(3.0)
