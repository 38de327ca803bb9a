"""The page as a file: nothing in it can run, nothing is fetched, nothing is missing."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from unseg_bench.compare.build import compare
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.errors import DataError
from unseg_bench.report.case_images import CaseImages
from unseg_bench.report.page import write_page
from unseg_bench.report.page.parts import numbered
from unseg_bench.report.page.provenance import flat_facts, provenance
from unseg_bench.report.page.write import PageSettings
from unseg_bench.report.text_table import TextSection, TextTable, plain_columns, text_row
from unseg_bench.run.folder import RunFolder

HOSTILE = """<img src=x onerror="alert(1)"></script><b>'&amp;"""
ADDRESSES = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}


class Parsed(HTMLParser):
    """All tags with their attributes, the text outside scripts, and the scripts by type."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.scripts = [], "", []
        self._script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._script = tag in {"script", "style"}
        if tag == "script":
            self.scripts.append([dict(attrs), ""])

    def handle_endtag(self, tag):
        self._script = False

    def handle_data(self, data):
        if not self._script:
            self.text += data
        elif self.tags[-1][0] == "script":
            self.scripts[-1][1] += data

    def names(self):
        return {tag for tag, _ in self.tags}


@pytest.fixture(scope="module")
def parsed(page):
    return Parsed(page.read_text(encoding="utf-8"))


def test_hostile_labels_and_options_are_words(parsed):
    assert not parsed.names() & {"img", "iframe", "object", "embed", "link", "base", "form"}
    assert not [attrs for _, attrs in parsed.tags if any(name.startswith("on") for name in attrs)]
    assert HOSTILE in parsed.text
    assert '["</script><script>alert(2)</script>"]' in parsed.text
    kinds = [attrs.get("type", "runs") for attrs, _ in parsed.scripts]
    assert kinds == ["application/json"] * 6 + ["runs"]


def test_nothing_is_fetched(parsed, page):
    addresses = [value for _, attrs in parsed.tags for name, value in attrs.items() if name in ADDRESSES]
    assert len(addresses) > 5
    assert [value for value in addresses if not value.startswith(("#", "data:"))] == []
    assert "@import" not in page.read_text(encoding="utf-8")


def test_only_the_pages_own_script_may_run(parsed):
    (policy,) = [attrs["content"] for tag, attrs in parsed.tags if tag == "meta" and "http-equiv" in attrs]
    digest = base64.b64encode(hashlib.sha256(parsed.scripts[-1][1].encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{digest}'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_all_is_there_in_order(parsed, comparison):
    headings = [attrs["id"] for tag, attrs in parsed.tags if tag == "h2" and "id" in attrs]
    assert headings == ["scores", "statistics", "claims", "figures", "cases", "provenance", "viewer-title"]
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    identities = [attrs["id"] for _, attrs in parsed.tags if not attrs.get("id", "figure-").startswith("figure-")]
    assert len(identities) == len(set(identities))
    links = [attrs["href"][1:] for tag, attrs in parsed.tags if tag == "a"]
    assert set(links) <= set(identities)
    numbers = re.findall(r"Table (\d+)\.", parsed.text)
    assert numbers == [str(number + 1) for number in range(len(numbers))]
    assert sum(tag == "svg" for tag, _ in parsed.tags) >= 5
    assert all(case in parsed.text for case in comparison.cases)


def test_that_phantoms_are_no_evidence_stands_above_the_claims_and_is_none_of_them(comparison, tmp_path):
    write_page(replace(comparison, evidence=False), tmp_path / "page.html")
    after = (tmp_path / "page.html").read_text(encoding="utf-8").partition('<h2 id="claims">')[2]
    first = after.partition("<h3>")[0]
    assert '<p class="caution">These are phantoms: nothing below is evidence about the methods on patients.' in first
    assert after.count("These are phantoms") + after.count("these are phantoms") == 1


def test_the_record_of_every_run_is_there(parsed, made):
    for run in made.runs:
        assert run.folder.name in parsed.text
    assert parsed.text.count("train <good>") == 2
    assert parsed.text.count("Empty: no reference mask and no slice label was granted.") == 2
    assert str(made.data) not in parsed.text


def test_the_words_below_a_picture_are_the_cases_scores(parsed, comparison):
    pictures = {attrs["data-case"]: json.loads(text) for attrs, text in parsed.scripts[:-1]}
    entry = next(one for one in comparison.entries if one.case == "case-4" and one.label == "good")
    assert entry.seeds == 2
    expected = f"DSC {100 * entry.values['dsc']:.1f} %, HD95 {entry.values['hd95_mm']:.1f} mm"
    assert pictures["case-4"]["scores"]["good"].startswith(expected)
    assert "contours are of one: good: seed 0" in parsed.text


def test_case_ids_from_a_score_table_are_words_too(made, tmp_path):
    scores = [replace(score, case=HOSTILE + score.case) for score in made.runs[0].scores]
    comparison = compare([replace(made.runs[0], scores=scores, folder=None)], CompareSettings())
    write_page(comparison, tmp_path / "page.html", settings=PageSettings(title=HOSTILE))
    parsed = Parsed((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "img" not in parsed.names()
    assert len(parsed.scripts) == 1
    assert parsed.text.count(HOSTILE) == 2 + len(made.runs[0].scores)


def test_without_runs_there_are_tables_and_no_pictures(comparison, tmp_path):
    heard = []
    write_page(comparison, tmp_path / "page.html", tell=heard.append)
    parsed = Parsed((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not parsed.names() & {"dialog", "canvas"}
    assert "provenance" not in {attrs.get("id") for _, attrs in parsed.tags}
    assert "table-main" in {attrs.get("id") for tag, attrs in parsed.tags if tag == "table"}
    assert any("examples" in line for line in heard)


def test_a_failure_leaves_the_old_page(made, comparison, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    broken = replace(comparison, cases=(*comparison.cases, "case-of-nobody"))
    with pytest.raises((DataError, KeyError)):
        write_page(broken, path, browser=CaseImages.of(made.runs), runs=made.runs)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_page(comparison, tmp_path):
    with pytest.raises(DataError, match=r"is a folder; name the file .*report\.html"):
        write_page(comparison, tmp_path)


def test_progress_counts_the_cases(made, comparison, tmp_path):
    steps = []
    write_page(
        comparison,
        tmp_path / "page.html",
        browser=CaseImages.of(made.runs),
        progress=lambda done, total, case: steps.append((done, total, case)),
    )
    assert steps == [(number + 1, 6, case) for number, case in enumerate(comparison.cases)]


def test_notes_are_said_once_in_a_part():
    def table(key, *notes):
        return TextTable(key, key, plain_columns("method"), (TextSection((text_row("a"),)),), notes=notes)

    pages = numbered([table("one", "x", "y"), table("two", "y", "z"), table("three", "x", "z")], 4)
    assert [page.number for page in pages] == [4, 5, 6]
    assert [page.notes for page in pages] == [
        ("x", "y"),
        ("z", "marks and rules also as below Table 4"),
        ("marks and rules also as below Tables 4, 5",),
    ]


def test_facts_of_a_record_are_flat_and_complete():
    values = {"a": {"b": {"c": 1.5, "d": None}, "e": []}, "f": "", "g": True, "h": "x"}
    assert flat_facts(values) == (("a.b.c", "1.5"), ("a.e", "[]"), ("f", "''"), ("g", "true"), ("h", "x"))


def test_the_ledger_is_told_by_purpose(made):
    (reads,) = provenance(made.runs[0]).reads
    assert (reads.kind, reads.purpose, reads.cases) == ("mask", "train <good>", ("t-1",))
    assert provenance(replace(made.runs[0], folder=None)).reads is None


def test_predictions_made_elsewhere_have_no_ledger(made, tmp_path):
    source = {"folder": "/home/me", "pattern": "*", "files": {"case-0": {"sha256": "f11e"}}}
    record = {"label_reads": [], "made_elsewhere": True, "label_use": None, "source": source}
    RunFolder(tmp_path).update(record)
    found = provenance(replace(made.runs[0], folder=tmp_path))
    assert found.reads is None
    assert dict(found.sections)["Made elsewhere"] == (("pattern", "*"), ("files.case-0.sha256", "f11e"))
    RunFolder(tmp_path).update({"made_elsewhere": False, "source": {}})
    assert provenance(replace(made.runs[0], folder=tmp_path)).reads == ()


def test_masks_of_other_runs_are_told_without_their_folders(made, tmp_path):
    masks = {"case-0": {"name": "predictions/case-0.nii.gz", "sha256": "f11e"}}
    sources = {
        "/home/me/runs/a": {
            "run": "clisc-paper-seed0-0123abcd",
            "mode": "sealed",
            "own_weights": False,
            "opened_data_files": 0,
            "masks": masks,
        },
        "/home/me/masks": {
            "run": None,
            "mode": "unknown",
            "own_weights": False,
            "opened_data_files": 0,
            "masks": masks,
        },
    }
    RunFolder(tmp_path).update({"mask_sources": sources})
    told = dict(provenance(replace(made.runs[0], folder=tmp_path)).sections)["Masks of other runs"]
    assert told == (("1. clisc-paper-seed0-0123abcd", "masks: 1, sealed"), ("2. a folder", "masks: 1, unknown"))
    assert "/home/me" not in str(told)


def test_the_provenance_names_the_device_and_the_most_memory(made):
    hardware = dict(dict(provenance(made.runs[0]).sections)["Hardware"])
    said = "cuda:0 (NVIDIA A100, 42.3 GB, driver 570.86), at most 9.1 GB used"
    assert hardware == {"cpus": "2", "device": said}
