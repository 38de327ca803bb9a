"""Size groups: equal in number, in order, and the same however the cases come."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unseg_bench.compare.groups import FIVE_NAMES, group_by_size
from unseg_bench.errors import SettingsError


def test_the_papers_five_groups_of_fifteen():
    volumes = {f"c{i:02d}": float((i * 37) % 75) for i in range(75)}
    groups = group_by_size(volumes, 5).groups
    assert [group.name for group in groups] == list(FIVE_NAMES)
    assert [(group.low, group.high, len(group.cases)) for group in groups] == [
        (15.0 * i, 15.0 * i + 14, 15) for i in range(5)
    ]
    assert not any(group.few for group in groups)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.sampled_from([0.0, 1.0, 1.5, 7.0]), min_size=1),
    st.integers(1, 9),
)
def test_any_cases_fall_into_even_ordered_groups(volumes, asked):
    groups = group_by_size(volumes, asked).groups
    assert len(groups) == max(1, min(asked, len(volumes) // 3))
    sizes = [len(group.cases) for group in groups]
    assert min(sizes) >= 3 or len(sizes) == 1
    assert max(sizes) - min(sizes) <= 1
    assert sorted(case for group in groups for case in group.cases) == sorted(volumes)
    for group in groups:
        own = [volumes[case] for case in group.cases]
        assert (group.low, group.high) == (min(own), max(own))
        assert group.few == (len(own) < 5)
    assert all(one.high <= other.low for one, other in pairwise(groups))


def test_ties_are_settled_by_name_whatever_the_order():
    cases = [f"c{i}" for i in range(8)]
    random.Random(0).shuffle(cases)
    groups = group_by_size(dict.fromkeys(cases, 2.0), 2).groups
    assert [group.cases for group in groups] == [("c0", "c1", "c2", "c3"), ("c4", "c5", "c6", "c7")]
    assert [group.name for group in groups] == ["Size 1/2", "Size 2/2"]


@pytest.mark.parametrize(("cases", "groups"), [(1, 1), (5, 1), (7, 2), (14, 4), (15, 5), (20, 5), (25, 5), (75, 5)])
def test_five_groups_are_quintiles_and_fewer_where_one_would_have_fewer_than_three_cases(cases, groups):
    found = group_by_size({f"c{i:02d}": float(i) for i in range(cases)}, 5)
    assert len(found.groups) == groups
    said = f"{cases} case{'s' * (cases > 1)} make {groups} size group{'s' * (groups > 1)}, not 5: a group needs 3 cases"
    assert (said in found.notes) == (groups < 5)
    assert any(note.startswith("fewer than 5 cases in") for note in found.notes) == (cases // groups < 5)


@pytest.mark.parametrize("asked", [0, -1, 13])
def test_none_and_too_many_are_refused(asked):
    with pytest.raises(SettingsError, match=f"--groups {asked}: 1 to 12 groups"):
        group_by_size({"c": 1.0}, asked)
