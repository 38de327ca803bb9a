"""File systems that lack a call (SMB, NFS, FUSE, object stores): results are the same; other errors name the file."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ubench
from unseg_bench.data.atomic import make_folder, reserve, write_text

LACKING = [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM]


def refuse(code: int) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize("code", LACKING, ids=errno.errorcode.get)
@pytest.mark.parametrize("name", ["fsync", "posix_fallocate", "chmod", "all"])
def test_what_a_file_system_lacks_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    if name in {"chmod", "all"}:
        monkeypatch.setattr(Path, "chmod", refuse(code))
    for call in {"fsync", "posix_fallocate"} & ({name} if name != "all" else {"fsync", "posix_fallocate"}):
        monkeypatch.setattr(os, call, refuse(code), raising=False)
    make_folder(tmp_path / "a" / "b")
    write_text(tmp_path / "a" / "b" / "x.json", "{}")
    reserve(tmp_path / "a" / "b" / "x.json")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["x.json"]
    assert (tmp_path / "a" / "b" / "x.json").read_text() == "{}"


def test_a_disk_that_fails_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "x.json", "old")
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match=r"x\.json") as caught:
        write_text(tmp_path / "x.json", "new")
    assert caught.value.filename == str(tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_run_ends_on_a_share_that_lacks_all_of_it(
    ubench: Ubench, data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    from unseg_bench.data.locks import has_flock

    has_flock.cache_clear()
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    monkeypatch.setattr(Path, "chmod", refuse(errno.EPERM))
    monkeypatch.setenv("UBENCH_CACHE", str(tmp_path / "share"))
    done = ubench("run", "threshold", *data, "--limit", "1")
    assert done.code == 0, done.err
    assert list((tmp_path / "share").rglob("*.held.lock")) == []
    has_flock.cache_clear()
