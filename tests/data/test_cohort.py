"""A cohort and its parts: which cases, in which order, loaded by whom, and what identifies them."""

import pytest

from unseg_bench.data.cohort import Cohort

CASES = ("a", "b", "c", "d")


@pytest.fixture
def loads():
    return []


@pytest.fixture
def cohort(loads):
    def load(case_id):
        loads.append(case_id)
        return f"volume {case_id}"

    return Cohort("train", [(case_id, f"digest {case_id}") for case_id in CASES], load)


def test_a_part_has_these_cases_in_the_cohort_s_order_and_loads_them_as_it_does(cohort, loads):
    part = cohort.part(["d", "b"])
    assert (part.name, part.case_ids, len(part)) == ("train", ("b", "d"), 2)
    assert loads == []
    assert list(part) == ["volume b", "volume d"]
    assert part["d"] == "volume d"
    assert loads == ["b", "d", "d"]
    with pytest.raises(KeyError, match="a is not in the cohort 'train'"):
        part["a"]


def test_a_stranger_is_refused(cohort):
    with pytest.raises(KeyError, match="e is not in the cohort 'train'"):
        cohort.part(["a", "e"])
    with pytest.raises(KeyError, match="a is not in the cohort"):
        cohort.part(["b"]).part(["a"])


def test_the_digest_identifies_the_part(cohort):
    changed = Cohort("train", [(case_id, f"digest {case_id}".upper()) for case_id in CASES], lambda _: None)
    parts = [
        cohort,
        cohort.part(["a", "b"]),
        cohort.part(["a"]),
        cohort.part([]),
        changed.part(["a"]),
        cohort.part(["a", "b"]).part(["a"]),
    ]
    assert len({part.digest for part in parts}) == len(parts)
    assert cohort.part(["b", "a"]).digest == cohort.part(["a", "b"]).digest
    assert cohort.part(CASES).digest == cohort.digest


def test_who_knows_only_the_cohort_s_digest_knows_the_part_s(cohort):
    known = Cohort("train", [(case_id, "") for case_id in CASES], lambda _: None)
    known.digest = cohort.digest
    assert known.part(["a", "c"]).digest == cohort.part(["a", "c"]).digest
    assert known.part(CASES).digest == cohort.digest
