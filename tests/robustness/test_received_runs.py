"""A run folder from elsewhere is data: whatever stands in it costs that run a line, and never the whole command."""

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Result, Ubench
from tests.robustness.received import CASES, ESC, HOSTILE, RECORD, write_received
from unseg_bench.errors import DataError, RunError
from unseg_bench.run.folder import LONGEST_LINE, LONGEST_LOG_BYTES, RunFolder
from unseg_bench.run.tables import read_tables, write_table

FUZZ = settings(
    max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
GOOD = Path("runs/folder/good-paper-seed0-0123abcd")
BAD = Path("runs/folder/bad-paper-seed0-4567cdef")
OF_ONE_RUN = (["show"], ["show", "--json"], ["cases"], ["thresholds"], ["audit"])
OF_ALL = (["runs"], ["compare"], ["cases", "good"])


@pytest.fixture
def two(ubench: Ubench) -> Ubench:
    """The command line beside two good runs; `BAD` is there to be spoilt, and is the newer one."""
    write_received(GOOD, RECORD)
    write_received(BAD, RECORD | {"method": "bad", "started": "2026-01-03T00:00:00+00:00"})
    return ubench


def complaints(result: Result) -> list[str]:
    """Return what a command must not do whatever it reads: end in a way of its own, or send control characters."""
    text = result.out + result.err
    return [
        *(["unexpected"] if "(unexpected;" in text or "Traceback" in text else []),
        *(["code"] if result.code not in {0, 1, 2} else []),
        *(["control"] if re.search(r"[^\n -~\u00a0-\u200a\u2010-\u2027\u2030-\ud7ff]", text) else []),
    ]


def check(ubench: Ubench) -> None:
    """The good run is shown by all commands; those about the bad one say what is wrong in one line, or show it.

    `compare` may refuse two runs that are whole and do not belong together, or show the newer one's data set alone.
    """
    for command in OF_ALL:
        result = ubench(*command)
        assert complaints(result) == [], (command, result)
        apart = command == ["compare"] and (result.code == 0 or re.search(r"^Error: .*bad", result.err, re.MULTILINE))
        assert apart or (result.code, "good" in result.out) == (0, True), (command, result)
    for name, *options in OF_ONE_RUN:
        result = ubench(name, BAD, *options)
        assert complaints(result) == [], (name, options, result)
        assert result.code == 0 or result.err.count("Error: ") == 1


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of a record."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*path, name))


PLACES = list(places(RECORD))


def spoilt(place: tuple[Any, ...], value: Any) -> Any:
    record = copy.deepcopy(RECORD) | {"method": "bad", "started": "2026-01-03T00:00:00+00:00"}
    inside: Any = record
    for name in place[:-1]:
        inside = inside[name]
    if value == "left out" and isinstance(inside, dict):
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return record


@FUZZ
@given(place=st.sampled_from(PLACES), value=st.sampled_from([*HOSTILE, "left out"]))
@example(place=("started",), value="left out")
@example(place=("settings",), value="left out")
@example(place=("seal", "mode"), value="no mode")
def test_whatever_stands_in_a_record(two: Ubench, place: tuple[Any, ...], value: Any) -> None:
    (BAD / "run.json").write_text(json.dumps(spoilt(place, value)), encoding="utf-8")
    check(two)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '{"format": 1}', '{"format": 1, "seed": NaN}', '{"format": 1, "seed": 1e999}'),
        *('{"format": 1, "seed": ' + "9" * 5000 + "}", "[" * 100_000, '{"format":1,"a":' + '{"a":' * 50_000),
    ],
    ids=lambda text: text[:20],
)
def test_a_record_that_is_none(two: Ubench, text: str) -> None:
    (BAD / "run.json").write_text(text, encoding="utf-8")
    told = two("runs")
    assert told.code == 0
    assert [line.partition(": ")[0] for line in told.err.splitlines()] == ["Warning"]
    assert str(BAD) in told.err
    check(two)


@FUZZ
@given(
    name=st.sampled_from(
        ["scores.csv", "scores-alternatives.csv", "tables/levels.csv", "tables/thresholds.csv", "log.jsonl"]
    ),
    line=st.integers(0, 4),
    cell=st.integers(0, 14),
    value=st.sampled_from(["", "nan", "inf", "1e308", "9" * 5000, "-5", ESC, '"', "../../x", "=1+1", "[/]", "\ud800"])
    | st.text(max_size=5),
)
def test_whatever_stands_in_its_tables_and_log(two: Ubench, name: str, line: int, cell: int, value: str) -> None:
    file = BAD / name
    before = file.read_bytes()
    lines = before.decode().splitlines()
    cells = lines[line % len(lines)].split(",")
    cells[cell % len(cells)] = value
    lines[line % len(lines)] = ",".join(cells)
    file.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    try:
        check(two)
    finally:
        file.write_bytes(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scores.csv", "scores-alternatives.csv", "tables/levels.csv", "log.jsonl"])
def test_a_million_rows(two: Ubench, name: str) -> None:
    file = BAD / name
    file.write_text(file.read_text().splitlines()[0] + "\n" + "p0,1\n" * 1_000_000)
    check(two)


@pytest.mark.parametrize("name", ["predictions", "maps", "alternatives", "alternatives/q0.9", "tables", "log.jsonl"])
def test_nothing_is_read_or_written_through_a_link(two: Ubench, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    if (BAD / name).is_dir():
        shutil.copytree(BAD / name, outside)
        shutil.rmtree(BAD / name)
    else:
        outside.write_text("mine")
        (BAD / name).unlink()
    (BAD / name).symlink_to(outside)
    before = sorted(outside.rglob("*")) if outside.is_dir() else outside.read_text()
    run = RunFolder(BAD)
    ways: dict[str, Callable[[], object]] = {
        "predictions": lambda: run.prediction("p0"),
        "maps": lambda: run.map_file("p0"),
        "alternatives": lambda: run.alternative("q0.9", "p0"),
        "alternatives/q0.9": lambda: run.alternative("q0.9", "p0"),
        "tables": lambda: write_table(run, "new", [{"a": 1}]),
        "log.jsonl": lambda: run.log("note", {}),
    }
    with pytest.raises(DataError, match="is a link or no ordinary file"):
        ways[name]()
    assert before == (sorted(outside.rglob("*")) if outside.is_dir() else outside.read_text())


def test_no_code_that_a_run_names_is_run(two: Ubench, tmp_path: Path) -> None:
    """Not to show, audit, draw or compare it."""
    evil = tmp_path / "evil.py"
    evil.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    record = RECORD | {"method": "bad", "seal": {**RECORD["seal"], "mode": "ledger"}}
    record["settings"] = {**RECORD["settings"], "methods": [str(evil)], "dataset": str(evil)}
    (BAD / "run.json").write_text(json.dumps(record | {"dataset": str(evil)}))
    for command in (*OF_ONE_RUN, ["show", "--case", "p0"]):
        assert complaints(two(command[0], BAD, *command[1:])) == []
    two("compare")
    assert not (tmp_path / "ran").exists()


def test_what_a_method_notes_is_bounded(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(RunError, match="too long for the log"):
        run.log("note", {"text": "x" * LONGEST_LINE})
    run.log("note", {"text": "short"})
    with run.log_file.open("ab") as file:
        file.truncate(LONGEST_LOG_BYTES)
    with pytest.raises(RunError, match=r"log\.jsonl: full"):
        run.log("note", {"text": "short"})
    assert [event["text"] for event in run.events()] == ["short"]


def test_text_of_a_record_is_shown_and_not_obeyed(two: Ubench) -> None:
    record = RECORD | {"method": "bad", "state": "failed", "error": f"no\n{ESC}label-free  yes (sealed)"}
    (BAD / "run.json").write_text(json.dumps(record))
    (line,) = [line for line in two("show", BAD).out.splitlines() if line.startswith("state")]
    assert line.endswith(r"failed: no\n\x1b[2J\x1b]0;title\x07label-free  yes (sealed)")
    assert json.loads((BAD / "run.json").read_text())["cases"] == CASES
    assert read_tables(RunFolder(BAD))[0].columns == ("case", "level")
