"""What a machine may lack or have otherwise: a home folder, UTF-8 output, names in UTF-8, a backend for figures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Ubench
from unseg_bench.compare.cohort_table import GroupColumn, read_column
from unseg_bench.console.streams import path_text, shell_text
from unseg_bench.data.atomic import write_json
from unseg_bench.data.visible import visible
from unseg_bench.plugins.digests import digest_of


@pytest.mark.parametrize(("encoding", "mark"), [("ascii", "+-"), ("latin-1", "±")])
def test_output_takes_every_character_in_any_encoding(encoding: str, mark: str) -> None:
    code = (
        "from unseg_bench.console.streams import *\nprepare_streams()\n"
        "text = '5.00 ± 2.00 – a \\u6f22'\nsay(text); warn(text); stdout().print(text)"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [*done.stdout.decode(encoding).splitlines(), *done.stderr.decode(encoding).splitlines()] == [
        f"5.00 {mark} 2.00 - a \\u6f22"
    ] * 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ± text\u00a0", "plain ± text\u00a0"),
        ("\x1b[2J\r\x07", r"\x1b[2J\r\x07"),
        ("\u202eevil\u200b", r"\u202eevil\u200b"),
        ("M\udcfcller", r"M\xfcller"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_a_folder_whose_name_is_not_utf_8(ubench: Ubench, cohort: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"M\xfcller")
    try:
        cohort.rename(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes no such name")
    options = ("--data", tmp_path / name, "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz")
    done = ubench("run", "threshold", *options, "--split", "all-test", "--limit", 1, "--json")
    assert done.code == 0, done.err
    run = done.json["runs"][0]["run"]
    shown = ubench("show", run, "--json")
    assert shown.json["settings"]["dataset_options"]["data"] == str(tmp_path / name)
    assert ubench("audit", run).code == 0
    assert len(digest_of({"data": name})) == 64


def test_json_gives_names_that_are_not_utf_8_back(tmp_path: Path) -> None:
    import json

    name = os.fsdecode(b"M\xfcller")
    write_json(tmp_path / "x.json", {"name": name})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"name": name}


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def nobody(*_: object) -> None:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_runs_with_a_cache_of_their_choice(ubench: Ubench, data: list[str]) -> None:
    done = ubench("run", "threshold", *data, "--limit", 1)
    assert done.code == 0, done.err
    assert ubench("runs").code == 0


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_is_told_what_to_set(
    ubench: Ubench, data: list[str], monkeypatch: pytest.MonkeyPatch, error_line
) -> None:
    assert "begins with '~'" in error_line(ubench("data", "check", "folder", "--data", "~/x", "--image", "*.nii"))
    for name in ("UBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    done = ubench("run", "threshold", *data)
    assert done.code == 2
    assert "set UBENCH_CACHE to a folder (or HOME)" in done.err.splitlines()[-1]


def test_a_notebooks_backend_does_not_matter(ubench: Ubench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    assert ubench("--version").code == 0
    assert os.environ["MPLBACKEND"] == "agg"


@pytest.mark.parametrize(
    "words",
    [
        ("run", "threshold", "--data", ".", "--image", "a/flair.nii.gz", "b/flair.nii.gz"),
        ("run", "threshold", "--data", ".", "--image", "a.nii", "b.nii"),
        ("data", "check", "folder", "--data", ".", "--image", "a/flair.nii.gz", "b/flair.nii.gz"),
        ("score", "masks", "c.nii.gz", "--as", "x"),
    ],
)
def test_a_pattern_without_quotes_is_named_as_such(ubench: Ubench, words: tuple[str, ...], error_line) -> None:
    assert "no quotes: " in error_line(ubench(*words))


def test_a_pattern_may_begin_with_the_folder_itself(ubench: Ubench, cohort: Path) -> None:
    options = ("--image", "./*/flair.nii.gz", "--reference", "././*/seg.nii.gz", "--split", "all-test")
    done = ubench("data", "check", "folder", "--data", cohort, *options)
    assert done.code == 0, done.err


def test_a_path_with_a_space_can_be_pasted(ubench: Ubench, data: list[str]) -> None:
    done = ubench("run", "threshold", *data, "--limit", 1, "--runs", "my runs")
    assert done.out.splitlines()[-1] == "next    ubench compare --by-size --runs 'my runs'"
    home = Path.home() / "a b"
    assert shell_text(home) == ("~/'a b'" if path_text(home).startswith("~") else "'a b'")


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["0,5", "1,25", "-2"], ["0.5", "1.25", "-2"]),
        (["0,5", "a,b", "1"], ["0,5", "a,b", "1"]),
        (["1", "", "2,5"], ["1", "", "2.5"]),
    ],
)
def test_numbers_with_decimal_commas(tmp_path: Path, cells: list[str], read: list[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id;volume\n" + "".join(f"p{place};{cell}\n" for place, cell in enumerate(cells)))
    assert list(read_column(GroupColumn(table, "volume"), ["p0", "p1", "p2"]).values()) == read
