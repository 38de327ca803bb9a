"""SHA-256 of files: what spares reading one again, and that it never decides."""

import errno
import hashlib
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from unseg_bench.data import digests
from unseg_bench.data.digests import digests_of_readable, file_digest, file_digests, refuse_change
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import DataError


@pytest.fixture(autouse=True)
def reads(monkeypatch):
    """Files count as settled at once; returns the names of those that were read."""
    monkeypatch.setattr(digests, "SETTLED_S", -1.0)
    monkeypatch.setattr(digests, "_known", {})
    names = []
    original = hashlib.file_digest
    monkeypatch.setattr(
        digests.hashlib, "file_digest", lambda file, name: names.append(Path(file.name).name) or original(file, name)
    )
    return names


@pytest.fixture
def another_process(monkeypatch):
    """Forget what this process knows, so that only the index is left."""
    return lambda: monkeypatch.setattr(digests, "_known", {})


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_unchanged_file_is_read_once_on_a_machine(tmp_path, reads, another_process):
    files = [tmp_path / name for name in "abc"]
    for path in files:
        path.write_text(path.name)
    assert file_digests(files) == {path: sha256(path) for path in files}
    assert file_digests(files) == {path: sha256(path) for path in files}
    another_process()
    assert file_digest(files[1]) == sha256(files[1])
    assert sorted(reads) == ["a", "b", "c"]


def in_place(path):
    with path.open("r+b") as file:
        file.write(b"X")


def replaced(path):
    other = path.with_name("other")
    other.write_bytes(b"X" + path.read_bytes()[1:])
    other.replace(path)


def moved_over_with_its_times(path):
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"X" + path.read_bytes()[1:])
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [in_place, replaced, moved_over_with_its_times])
@pytest.mark.parametrize("remember", [True, False])
def test_a_change_of_the_same_size_with_the_old_times_is_seen(tmp_path, another_process, change, remember):
    path = tmp_path / "mask"
    path.write_bytes(b"0123456789")
    before, status = file_digest(path), path.stat()
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    if not remember:
        another_process()
    assert file_digest(path) == sha256(path) != before
    with pytest.raises(DataError, match="changes while it is read"):
        refuse_change(path, before)


def test_two_files_that_change_places_are_seen(tmp_path, another_process):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    for path in (one, two):
        os.utime(path, ns=(10**18, 10**18))
    first, second = file_digest(one), file_digest(two)
    one.rename(tmp_path / "three")
    two.rename(one)
    (tmp_path / "three").rename(two)
    another_process()
    assert (file_digest(one), file_digest(two)) == (second, first)


def test_what_changed_a_moment_ago_is_read_again(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(digests, "SETTLED_S", 2.0)
    path = tmp_path / "mask"
    path.write_text("new")
    assert file_digest(path) == file_digest(path) == sha256(path)
    assert reads == ["mask", "mask"]


def test_an_index_that_cannot_be_used_costs_time_alone(tmp_path, another_process):
    path = tmp_path / "mask"
    path.write_text("mask")
    index = cache_dir() / "digests.sqlite"
    index.write_bytes(b"no database" * 1000)
    assert file_digest(path) == sha256(path)
    another_process()
    assert file_digest(path) == sha256(path)
    another_process()
    with sqlite3.connect(index) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert file_digest(path) == sha256(path)
        holder.rollback()
    holder.close()
    another_process()
    index.unlink()
    index.mkdir()
    assert file_digest(path) == sha256(path)


def test_threads_share_the_index(tmp_path, another_process):
    files = [tmp_path / str(number) for number in range(20)]
    for path in files:
        path.write_text(path.name)
    found = []
    threads = [threading.Thread(target=lambda: found.append(file_digests(files))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    another_process()
    assert found == [{path: sha256(path) for path in files}] * 4 == [file_digests(files)] * 4


def test_what_is_no_readable_file_is_named(tmp_path, monkeypatch):
    good = tmp_path / "good"
    good.write_text("good")
    os.mkfifo(tmp_path / "pipe")
    bad = {tmp_path / "absent": "there is no such file", tmp_path: "is no file", tmp_path / "pipe": "is no file"}
    for path, said in bad.items():
        with pytest.raises(DataError, match=f"{path}: {said}"):
            file_digests([good, path])
    assert digests_of_readable([good, *bad]) == {good: sha256(good), **dict.fromkeys(bad)}

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(digests, "_known", {})
    monkeypatch.setattr(digests.hashlib, "file_digest", refuse)
    (cache_dir() / "digests.sqlite").unlink()
    with pytest.raises(DataError, match=r"good: cannot be read \(Input/output error\)"):
        file_digest(good)
