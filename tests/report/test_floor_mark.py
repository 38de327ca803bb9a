"""A learned method below a floor is marked wherever a comparison goes, and only then."""

import csv
import io
import json
from dataclasses import replace

import pytest
from pyarrow import parquet
from rich.console import Console

from unseg_bench.report import exports
from unseg_bench.report.terminal import print_comparison

SAM = "sam|x_1 & <script>"
DAGGERS = {".md": "†", ".tex": r"\dag{}", ".html": "†"}


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def below_in(path, suffix):
    """The labels that a file of rows says are below the floor."""
    if suffix == ".json":
        return {row["label"] for row in json.loads(path.read_text(encoding="utf-8"))["rows"] if row["below_floor"]}
    if suffix == ".parquet":
        return {row["label"] for row in parquet.read_table(path).to_pylist() if row["below_floor"]}
    if suffix == ".challenger.csv":
        return {row["algorithm"] for row in rows_of(path) if row["note"].startswith("below the floor")}
    return {row["label"] for row in rows_of(path) if row["below_floor"] == "true"}


@pytest.fixture
def both(make):
    """The comparison as it is, with a method below the floor, and one in which no method is."""
    marked = make(evidence=True, statistics=None)
    return marked, replace(marked, rows=tuple(replace(row, below_floor=False) for row in marked.rows))


@pytest.mark.parametrize("suffix", sorted(exports._WRITERS))
def test_every_kind_of_file_says_so(both, tmp_path, suffix):
    marked, plain = both
    for comparison, path in ((marked, tmp_path / f"marked{suffix}"), (plain, tmp_path / f"plain{suffix}")):
        exports.write(comparison, path)
    if dagger := DAGGERS.get(suffix):
        shown = (tmp_path / f"marked{suffix}").read_text(encoding="utf-8")
        hidden = (tmp_path / f"plain{suffix}").read_text(encoding="utf-8")
        assert shown.count(dagger) - hidden.count(dagger) >= 2, "the row's name and the note below the table"
        assert "below the floor threshold in mean DSC" in shown
        assert "below the floor" not in hidden
    else:
        assert below_in(tmp_path / f"marked{suffix}", suffix) == {SAM}
        assert below_in(tmp_path / f"plain{suffix}", suffix) == set()


def test_the_terminal_says_so(both):
    shown = []
    for comparison in both:
        console = Console(file=io.StringIO(), width=120, color_system=None)
        print_comparison(comparison, console)
        shown.append(console.file.getvalue())
    assert f"{SAM} †" in shown[0]
    assert f"† below the floor threshold in mean DSC: {SAM}" in shown[0]
    assert "†" not in shown[1]
    assert "below the floor" not in shown[1]
