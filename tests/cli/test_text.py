"""Numbers and paths as people read them."""

from pathlib import Path

import pytest

from unseg_bench.console.streams import path_text, print_json
from unseg_bench.words import bytes_text, count_text, seconds_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_seconds(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_600_000, "2.6 MB"), (605_143_284, "605 MB"), (10**13, "10.0 TB")],
)
def test_bytes(size: int, text: str) -> None:
    assert bytes_text(size) == text


def test_counts() -> None:
    assert [count_text(n, "case") for n in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert path_text(Path("a/../b")) == "b"
    assert path_text(tmp_path / "home" / "c") == "home/c"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert path_text(tmp_path / "home" / "c") == "~/c"
    assert path_text(tmp_path) == str(tmp_path)


def test_json_has_no_numbers_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("inf"), "b": (1.5, Path("x"))})
    assert capsys.readouterr().out == '{\n  "a": null,\n  "b": [\n    1.5,\n    "x"\n  ]\n}\n'
