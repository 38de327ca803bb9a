"""The published report of reports/demo fits this version, and the README shows what is in it."""

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "reports" / "demo"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "scripts" / "demo_report.py"))


def test_it_fits_this_version(script):
    assert list(script["faults"]()) == [], "run scripts/demo_report.py"


def test_another_option_row_file_or_version_does_not_fit(script, tmp_path, monkeypatch):
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    manifest["version"] = "0.0.1"
    manifest["rows"]["table2"]["Ours"]["options"]["amda"]["alpha"] = 7
    del manifest["rows"]["figure3a"]["amda.alpha=0"]
    manifest["files"] = {"table1.md": "0" * 64}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "table1.md").write_text("another table")
    monkeypatch.setitem(script["faults"].__globals__, "FOLDER", tmp_path)
    found = "\n".join(script["faults"]())
    assert "made by version 0.0.1" in found
    assert "table1.md: not as the manifest has it" in found
    assert "figure3a: 'amda.alpha=0' is in one of the two alone" in found
    assert "table2, Ours: options.amda.alpha was 7 and is 20.0" in found


def test_the_readme_shows_two_of_its_figures():
    shown = re.findall(r"!\[[^\]]+\]\(reports/demo/([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(shown) == 2
    assert set(shown) <= set(json.loads((FOLDER / "manifest.json").read_text())["files"])
