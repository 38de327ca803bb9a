"""`report`: one page of all that is known of some runs."""

import json
import re
import shutil
from pathlib import Path

from tests.cli.conftest import Result, Ubench


def case_pictures(path: Path) -> dict[str, dict[str, object]]:
    """The pictures of the cases that a page carries."""
    found = re.findall(r'<script type="application/json".*?>(.*?)</script>', path.read_text(encoding="utf-8"))
    return {picture["case"]: picture for picture in map(json.loads, found)}


def test_report_writes_a_page_with_pictures_and_says_where(ubench: Ubench, two_runs: Result) -> None:
    made = ubench("report", "--title", "A & B")
    assert made.code == 0
    assert re.fullmatch(r"report\.html \(\d+ kB\)\n", made.out)
    assert "report done" in made.err
    assert "<title>A &amp; B</title>" in Path("report.html").read_text(encoding="utf-8")
    pictures = case_pictures(Path("report.html"))
    assert len(pictures) == 2
    assert all(picture["masks"] == [None, "threshold", "tiny"] for picture in pictures.values())


def test_report_without_pictures_replaces_the_page(ubench: Ubench, two_runs: Result) -> None:
    Path("page.html").write_text("old")
    assert ubench("report", "tiny", "--no-cases", "--out", "page.html").out.startswith("page.html (")
    text = Path("page.html").read_text(encoding="utf-8")
    assert "1 method on 2 cases" in text
    assert case_pictures(Path("page.html")) == {}


def test_finer_pictures_make_a_larger_page(ubench: Ubench, two_runs: Result) -> None:
    for quality in (10, 90):
        assert ubench("report", "tiny", "--quality", quality, "--out", f"{quality}.html").code == 0
    pictures = [case_pictures(Path(f"{quality}.html")) for quality in (10, 90)]
    for case in pictures[0]:
        assert len(str(pictures[0][case]["image"])) < len(str(pictures[1][case]["image"]))
        assert pictures[0][case]["runs"] == pictures[1][case]["runs"]


def test_data_that_moved_are_named_with_the_remedy(ubench: Ubench, two_runs: Result, cohort: Path, error_line) -> None:
    shutil.move(cohort, cohort.with_name("moved"))
    refused = error_line(ubench("report"))
    assert str(cohort) in refused
    assert "--data DIR" in refused
    assert not Path("report.html").exists()
    assert ubench("report", "--no-cases").code == 0
    assert case_pictures(Path("report.html")) == {}
    assert ubench("report", "--data", cohort.with_name("moved")).code == 0
    assert len(case_pictures(Path("report.html"))) == 2


def test_report_needs_runs(ubench: Ubench, error_line) -> None:
    assert "no complete run here" in error_line(ubench("report"))
