"""Names of files to case ids: whole words, the longest first, and never a guess."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unseg_bench.errors import DataError, SettingsError
from unseg_bench.score.matching import fitting_cases, match_files

# The same examples each time, and no verdict that hangs on how busy the machine is.
SAME = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
AWKWARD_IDS = st.text("a1_-.", min_size=1, max_size=5)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return folder


def test_every_way_to_name_a_file(tmp_path):
    names = ("c1.nii.gz", "c2.nii", "c3_pred.nii.gz", "my_best_c4.nii", "c5/seg.nii.gz")
    touch(tmp_path, *names, "dataset.json", "._c1.nii.gz", "c5/notes.txt", "readme_c1.txt")
    found = match_files(tmp_path, ["c2", "c1", "c3", "c4", "c5"], ["c9"])
    assert {case: path.relative_to(tmp_path).as_posix() for case, path in found.files.items()} == {
        "c2": names[1],
        "c1": names[0],
        "c3": names[2],
        "c4": names[3],
        "c5": names[4],
    }
    assert list(found.files) == ["c2", "c1", "c3", "c4", "c5"]
    assert (found.missing, found.strangers, found.other_parts) == ((), (), ())


def test_what_is_missing_unknown_or_of_another_part_is_told(tmp_path):
    touch(tmp_path, "c1.nii.gz", "t1_pred.nii.gz", "zebra.nii.gz", "c10.nii.gz", "sub/c2.nii.gz")
    found = match_files(tmp_path, ["c1", "c2"], ["c1", "c2", "t1"])
    assert found.missing == ("c2",)
    assert [path.name for path in found.other_parts] == ["t1_pred.nii.gz"]
    assert [path.name for path in found.strangers] == ["c10.nii.gz", "zebra.nii.gz", "c2.nii.gz"]


@pytest.mark.parametrize(
    ("stem", "cases"),
    [
        ("case_1", ("case_1",)),
        ("case_10", ("case_10",)),
        ("case_10_seg", ("case_10",)),
        ("case_1_seg", ("case_1",)),
        ("case_100", ("case",)),
        ("pred_case_10", ("case_10",)),
        ("case_1_case_10", ("case_1", "case_10")),
        ("case_1_0", ("case_1",)),
        ("xcase_1", ()),
        ("case1", ()),
        ("case-1", ()),
        ("CASE_1", ()),
        ("", ()),
    ],
)
def test_ids_that_begin_alike(stem, cases):
    assert fitting_cases(stem, {"case", "case_1", "case_10"}) == cases


@SAME
@given(ids=st.sets(AWKWARD_IDS, min_size=1, max_size=6), data=st.data())
def test_a_name_that_is_an_id_means_that_case(ids, data):
    case = data.draw(st.sampled_from(sorted(ids)))
    assert fitting_cases(case, ids) == (case,)


@SAME
@given(ids=st.sets(AWKWARD_IDS, min_size=1, max_size=6), stem=st.text("a1_-.", max_size=9))
def test_names_mean_the_longest_whole_words_at_their_ends(ids, stem):
    """Against a plain reading of the rule with regular expressions."""
    if stem in ids:
        return
    first = [case for case in ids if re.match(rf"{re.escape(case)}_", stem)]
    last = [case for case in ids if re.search(rf"_{re.escape(case)}\Z", stem)]
    wanted = {max(cases, key=len) for cases in (first, last) if cases}
    found = fitting_cases(stem, ids)
    assert set(found) == wanted
    assert len(found) == len(wanted)


@SAME
@given(ids=st.sets(st.from_regex(r"[a-c1][a-c1_.-]{0,5}", fullmatch=True), min_size=1, max_size=6))
def test_a_folder_written_by_id_is_read_by_id(tmp_path_factory, ids):
    folder = touch(tmp_path_factory.mktemp("predictions"), *(f"{case}.nii.gz" for case in ids))
    found = match_files(folder, sorted(ids), ())
    assert {case: path.name for case, path in found.files.items()} == {case: f"{case}.nii.gz" for case in ids}
    by_pattern = match_files(folder, sorted(ids), (), "*.nii.gz")
    assert by_pattern == found


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("pred-*.nii.gz", "pred-c1.nii.gz"),
        ("pred-*", "pred-c1.nii.gz"),
        ("pred-*", "pred-c1.nii"),
        ("*/*/mask.nii", "c1/fold0/mask.nii"),
        ("fold?/{case}-*.nii.gz", "fold3/c1-best.nii.gz"),
        ("{case}/{case}-seg.nii.gz", "c1/c1-seg.nii.gz"),
        ("a+b(*).nii.gz", "a+b(c1).nii.gz"),
    ],
)
def test_patterns(tmp_path, pattern, name):
    touch(tmp_path, name, "c1.other.nii.gz")
    found = match_files(tmp_path, ["c1"], ["c1", "c"], pattern)
    assert found.files == {"c1": tmp_path / name}
    assert found.strangers == ()


def test_a_pattern_takes_known_ids_longest_first_and_tells_unknown_ones(tmp_path):
    touch(tmp_path, "c_1_x.nii.gz", "d_x.nii.gz", "c_2_x_x.nii.gz")
    found = match_files(tmp_path, ["c", "c_1"], ["c_2"], "*_*.nii.gz")
    assert found.files == {"c_1": tmp_path / "c_1_x.nii.gz"}
    assert found.missing == ("c",)
    assert found.other_parts == (tmp_path / "c_2_x_x.nii.gz",)
    assert found.strangers == (tmp_path / "d_x.nii.gz",)


def test_two_files_for_one_case_are_refused_and_the_advice_helps(tmp_path):
    touch(tmp_path, "c1.nii.gz", "c1_prob.nii.gz")
    with pytest.raises(DataError, match=r"c1\.nii\.gz and .*c1_prob\.nii\.gz both fit case c1; .*'\*_prob\.nii\.gz'"):
        match_files(tmp_path, ["c1"], ())
    assert match_files(tmp_path, ["c1"], (), "*_prob.nii.gz").files["c1"].name == "c1_prob.nii.gz"
    touch(tmp_path, "c2/a.nii.gz", "c2/b.nii.gz")
    with pytest.raises(DataError, match=r"both fit case c2; .*'\*/b\.nii\.gz'"):
        match_files(tmp_path, ["c2"], ())


def test_one_file_for_two_cases_is_refused(tmp_path):
    touch(tmp_path, "c1_c2.nii.gz")
    with pytest.raises(DataError, match=r"c1_c2\.nii\.gz: its name fits case c1 and case c2; .*--pattern"):
        match_files(tmp_path, ["c1"], ["c2"])


def test_a_case_of_another_part_keeps_its_file(tmp_path):
    """'a_1' is no file of 'a', since 'a_1' is a training case."""
    touch(tmp_path, "a_1.nii.gz")
    found = match_files(tmp_path, ["a"], ["a", "a_1"])
    assert found.missing == ("a",)
    assert found.other_parts == (tmp_path / "a_1.nii.gz",)


def test_folders_and_patterns_that_cannot_be_meant(tmp_path):
    with pytest.raises(DataError, match="absent is not a folder"):
        match_files(tmp_path / "absent", ["c1"], ())
    with pytest.raises(DataError, match=r"no \.nii or \.nii\.gz file here"):
        match_files(touch(tmp_path, "c1.npz"), ["c1"], ())
    with pytest.raises(DataError, match=r"--pattern 'p_\*\.nii' matches no"):
        match_files(tmp_path, ["c1"], (), "p_*.nii")
    with pytest.raises(SettingsError, match=r"needs a '\*' or '\{case\}'"):
        match_files(tmp_path, ["c1"], (), "pred.nii.gz")
