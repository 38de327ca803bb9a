"""`show` with tables that a method wrote: their beginnings, one of them whole, and as JSON."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Result, Ubench
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.tables import write_table

ErrorLine = Callable[[Result], str]
ROWS = [
    {"case": f"case-{number}", "[b]s3f": number / 3, "note": "a\x1b[31m\n" if number else None} for number in range(5)
]


def test_show_begins_each_table_and_prints_one_whole(ubench: Ubench, two_runs: Result, error_line: ErrorLine) -> None:
    run = next(Path(one["run"]) for one in two_runs.json["runs"] if one["method"] == "tiny")
    assert "table " not in ubench("show", run).out
    write_table(RunFolder(run), "s3f", ROWS)
    write_table(RunFolder(run), "few", [{"n": 1234567.25}])
    shown = ubench("show", run).out
    assert "table s3f: 5 rows, the first 3 of them (all: --table s3f)\n" in shown
    assert "table few: 1 row\n" in shown
    assert "1234567.2" in shown
    assert "case-2" in shown
    assert "case-3" not in shown
    whole = ubench("show", run, "--table", "s3f").out.splitlines()
    assert whole[0].split() == ["case", "[b]s3f", "note"]
    assert whole[2].split() == ["case-1", "0.3333", "a\\x1b[31m\\n"]
    assert len(whole) == 6
    assert "no table 's3'. Did you mean 's3f'?" in error_line(ubench("show", run, "--table", "s3"))


def test_show_gives_tables_as_json(ubench: Ubench, two_runs: Result) -> None:
    run = next(Path(one["run"]) for one in two_runs.json["runs"] if one["method"] == "tiny")
    write_table(RunFolder(run), "s3f", ROWS)
    assert ubench("show", run, "--json").json["tables"] == {"s3f": {"columns": ["case", "[b]s3f", "note"], "rows": 5}}
    given = ubench("show", run, "--table", "s3f", "--json").json
    written = [{**row, "note": row["note"] and row["note"].replace("\x1b", "\\x1b")} for row in ROWS]
    assert given == {"run": str(run), "table": "s3f", "rows": written}
    assert "\x1b" not in (run / "tables" / "s3f.csv").read_text()
