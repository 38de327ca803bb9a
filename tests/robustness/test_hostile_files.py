"""Every file of a received run in every form that no run writes: it costs that run a line; the others are shown."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Ubench
from tests.robustness.received import RECORD, write_received
from tests.robustness.test_received_runs import complaints
from unseg_bench.score.table import read_scores, write_scores

GOOD = Path("runs/folder/good-paper-seed0-0123abcd")
FILES = (
    *("run.json", "scores.csv", "scores-alternatives.csv", "log.jsonl", "tables/levels.csv", "tables/thresholds.csv"),
    *("seal.json", "scored.json", "made.jsonl", "opened.txt", "predictions/p0.nii.gz"),
)
OF_ONE_RUN = (["show"], ["show", "--json"], ["cases"], ["thresholds"], ["audit"], ["score"])
OF_ALL = (["runs"], ["runs", "--json"], ["compare", "--missing", "common"], ["cases", "good"])


def _away(file: Path) -> None:
    shutil.rmtree(file) if file.is_dir() else file.unlink()


def _pipe(file: Path) -> None:
    _away(file)
    os.mkfifo(file)


def _link_out(file: Path) -> None:
    _away(file)
    file.symlink_to("/etc/passwd")


def _link_to_itself(file: Path) -> None:
    _away(file)
    file.symlink_to(file.name)


def _thirty_gigabytes(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(30 << 30)


def _folder(file: Path) -> None:
    _away(file)
    file.mkdir()


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(content)


def _value(text: str) -> Callable[[Path], object]:
    """Put a JSON value where others are: in each entry of a known name, in a line of a log, in a cell of a table."""

    def spoil(file: Path) -> None:
        if file.name == "run.json":
            file.write_text(file.read_text()[:-1] + f', "odd": {text}}}')
        elif file.suffix == ".json":
            names = ("allowed", "refused", "references", "scores_sha256")
            file.write_text(f"{{{', '.join(f'{json.dumps(name)}: {text}' for name in names)}}}")
        elif file.suffix == ".jsonl":
            file.write_text(f'{{"event": "stage", "case": {text}, "stage": {text}, "seconds": {text}}}\n')
        else:
            file.write_text(re.sub(r"(?<=p0,)[^,\n]*", lambda _: text, file.read_text(), count=1))

    return spoil


SPOILT: dict[str, Callable[[Path], object]] = {
    "pipe": _pipe,
    "link-out": _link_out,
    "link-to-itself": _link_to_itself,
    "sparse": _thirty_gigabytes,
    "folder": _folder,
    "away": _away,
    "empty": _bytes(b""),
    "nul": _bytes(b"\0" * 99),
    "not-utf8": _bytes(b"\xff\xfe\x80,\n"),
    "list": _bytes(b"[]\n"),
    "number": _bytes(b"7\n"),
    "deep": _value("[" * 100_000 + "]" * 100_000),
    "nan": _value("NaN"),
    "infinity": _value("-Infinity"),
    "large": _value("1e400"),
    "huge": _value("9" * 5000),
    "nested": _value('{"a": [{"b": {}}]}'),
    "strings": _value('["a", {"path": 1}]'),
}


def _give_digests(folder: Path) -> None:
    """Have predictions, and scores that say which, so that these files are looked at."""
    scores = read_scores(folder / "scores.csv")
    for score in scores:
        (folder / "predictions" / f"{score.case}.nii.gz").write_bytes(b"mask")
    sha256 = hashlib.sha256(b"mask").hexdigest()
    write_scores(
        folder / "scores.csv",
        [replace(one, prediction_sha256=sha256, reference_sha256=sha256, tumour_sha256=sha256) for one in scores],
    )


@pytest.fixture
def write(ubench: Ubench) -> Callable[[str, int], Path]:
    """Return what writes a whole run of a method, after `ubench` has gone into its empty folder."""

    def run(name: str, minute: int) -> Path:
        folder = GOOD.parent / f"{name}-paper-seed0-0123abcd"
        write_received(folder, RECORD | {"method": name, "started": f"2026-01-03T00:{minute:02d}:00+00:00"})
        (folder / "seal.json").write_text('{"allowed": [{"path": "/usr", "rights": "read"}], "refused": []}')
        for empty in ("scored.json", "made.jsonl", "opened.txt"):
            (folder / empty).write_text("{}\n")
        _give_digests(folder)
        return folder

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_file_costs_its_run_a_line(ubench: Ubench, write: Callable[[str, int], Path], name: str) -> None:
    runs = {way: write(f"of-{way}", minute) for minute, way in enumerate(SPOILT)}
    write("good", 59)
    for way, run in runs.items():
        SPOILT[way](run / name)
    for command in OF_ALL:
        told = ubench(*command)
        assert complaints(told) == [], (command, told)
        assert (told.code, "good" in told.out) == (0, True), (command, told)
        warned = [line for line in told.err.splitlines() if line.startswith("Warning: ")]
        assert max((sum(str(run) in line for line in warned) for run in runs.values()), default=0) <= 1, command
    for way, run in runs.items():
        for command, *options in OF_ONE_RUN:
            told = ubench(command, run, *options)
            assert complaints(told) == [], (way, command, options, told)
            assert told.code == 0 or told.err.count("Error: ") == 1, (way, command, options, told)


@pytest.mark.parametrize("name", ["run.json", "scores.csv"])
def test_pages_and_figures_are_of_the_others(ubench: Ubench, write: Callable[[str, int], Path], name: str) -> None:
    for minute, way in enumerate(("pipe", "sparse", "deep", "not-utf8")):
        SPOILT[way](write(f"of-{way}", minute) / name)
    write("good", 59)
    for command in (["report", "--no-cases", "--out", "page.html"], ["figures", "--only", "dsc-by-size"]):
        told = ubench(*command)
        assert (told.code, complaints(told)) == (0, []), (command, told)
        for way in ("pipe", "sparse", "not-utf8"):
            assert f"of-{way}" in told.err, (command, told)


def _linked(folder: Path) -> None:
    folder.rename("elsewhere")
    folder.symlink_to(Path("elsewhere").absolute())


@pytest.mark.parametrize("spoil", [_linked, _link_to_itself, _pipe, _away])
def test_a_run_s_whole_folder(ubench: Ubench, write: Callable[[str, int], Path], spoil: Callable[[Path], None]) -> None:
    """A linked folder is the user's own doing and is read; what leads nowhere is no run."""
    write("good", 59)
    folder = write("bad", 0)
    spoil(folder)
    for command in OF_ALL:
        told = ubench(*command)
        assert complaints(told) == [], (command, told)
        assert (told.code, "good" in told.out) == (0, True), (command, told)
    for command, *options in OF_ONE_RUN:
        told = ubench(command, folder, *options)
        assert complaints(told) == [], (command, options, told)
        assert told.code == 0 or told.err.count("Error: ") == 1, (command, options, told)
