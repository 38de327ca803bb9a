from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unseg_bench.data.atomic import whole_file, write_json
from unseg_bench.data.paths import cache_dir, check_case_id
from unseg_bench.data.splits import Split, split_all_test, split_by_ratio, split_from_files
from unseg_bench.errors import DataError


@given(st.integers(0, 60), st.tuples(*[st.integers(0, 9)] * 3).filter(any), st.integers(0, 99))
def test_ratios_give_every_case_one_part_whatever_the_order(count, ratios, seed):
    ids = [f"c{number}" for number in range(count)]
    split = split_by_ratio(ids, ratios, seed)
    assert sorted(split.case_ids) == sorted(ids)
    assert split == split_by_ratio(ids[::-1], ratios, seed)
    for part, ratio in zip((split.train, split.valid, split.test), ratios, strict=True):
        assert abs(len(part) - count * ratio / sum(ratios)) <= 1


def test_the_paper_s_ratio_on_369_cases():
    split = split_by_ratio([f"{n:03d}" for n in range(369)], (7, 1, 2), 0)
    assert [len(split.part(part)) for part in ("train", "valid", "test")] == [258, 37, 74]
    assert split.train != split_by_ratio([f"{n:03d}" for n in range(369)], (7, 1, 2), 1).train


def test_a_case_in_two_parts_is_refused():
    with pytest.raises(DataError, match="in both 'train' and 'test'"):
        Split("s", ("a",), (), ("a",))
    with pytest.raises(DataError, match="twice in 'test'"):
        split_all_test(["a", "a"])


def test_a_split_from_files(tmp_path):
    (tmp_path / "train.txt").write_text("a\n\nb\n")
    with pytest.raises(DataError, match=r"no test.txt"):
        split_from_files(tmp_path, "mine")
    (tmp_path / "test.txt").write_bytes(b"c\r\n")
    assert split_from_files(tmp_path, "mine", "abc") == Split("mine", ("a", "b"), (), ("c",))
    with pytest.raises(DataError, match=r"test.txt names case 'c'"):
        split_from_files(tmp_path, "mine", "ab")
    with pytest.raises(DataError, match=r"case 'd' and 1 more of the data set is in no part; .*unused\.txt"):
        split_from_files(tmp_path, "mine", "abcde")
    (tmp_path / "unused.txt").write_text("e\nd\n")
    assert split_from_files(tmp_path, "mine", "abcde").case_ids == ("a", "b", "c")
    (tmp_path / "valid.txt").write_text("b\n")
    with pytest.raises(DataError, match="in both 'train' and 'valid'"):
        split_from_files(tmp_path, "mine", "abcde")


def test_the_order_of_lines_and_a_byte_order_mark_change_nothing(tmp_path):
    for name, text in {"one": "b\na\n", "two": "\ufeffa\nb\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.txt").write_text(text, encoding="utf-8")
    assert split_from_files(tmp_path / "one", "s") == split_from_files(tmp_path / "two", "s")
    (tmp_path / "one" / "test.txt").write_bytes(b"\xff\xfea\0")
    with pytest.raises(DataError, match=r"test\.txt: not a text file"):
        split_from_files(tmp_path / "one", "s")


@pytest.mark.parametrize("bad", ["../x", "a/b", "", ".hidden", "a\nb", "a b", "/etc/passwd", "a..b", "x" * 129, "é"])
def test_ids_that_are_no_file_names_are_refused(bad):
    with pytest.raises(DataError, match="cannot be used as a file name"):
        check_case_id(bad)


def test_usual_ids_pass():
    for good in ("BraTS20_Training_001", "sub-01_ses-2", "W39_1998.09.19", "a+b"):
        assert check_case_id(good) == good


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "folder" / "file.json"
    write_json(target, {"a": 1})
    with pytest.raises(FileNotFoundError), whole_file(target) as temporary:
        (temporary.with_name("absent") if temporary.write_text("half") else temporary).read_text()
    assert target.read_text() == '{\n  "a": 1\n}\n'
    assert list(target.parent.iterdir()) == [target]


def test_the_cache_follows_its_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("UBENCH_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("UBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_dir() == Path("/x/unseg-bench")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "unseg-bench"
