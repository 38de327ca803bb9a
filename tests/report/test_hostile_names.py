"""Names with signs that mean something to an export are words in it, and its form is that of any other name."""

import csv
import io
import json
import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pyarrow import parquet
from rich.console import Console

from unseg_bench.data.csv_text import cell_text, csv_cell
from unseg_bench.report import exports
from unseg_bench.report.latex import escape as tex
from unseg_bench.report.terminal import print_comparison
from unseg_bench.score.metrics import DSC

OLD, PLAIN = "=cmd", "plain"
SIGNS = "_&%$#{}~^\\|<>\"'`*[]()+-=@!:;,./?–±"
NAMES = [
    *("a".join(SIGNS), SIGNS, f"{SIGNS[::-1]}{SIGNS}"),
    *("1. first", "2) second", "- item", "---", "a\\", "'=1", "=HYPERLINK(1)", "</script><!-- &amp; <b>"),
    "[a](http://x.y) ![a](x) **c** a\\|b $\\write18{ls}$",
]
CONTROLS = [
    "a\x1b[2Jb",
    "\x1b]0;title\x07",
    "a\rb",
    "\ta",
    "a\x9b31mb",
    "\u202eab",
    "a\x00b",
    "a\u2028b",
    "\x7fa\ud800",
]
_OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")


def renamed(value, new):
    """The comparison with another name for one of its rows, wherever that stands."""
    if is_dataclass(value):
        return replace(value, **{field.name: renamed(getattr(value, field.name), new) for field in fields(value)})
    if isinstance(value, dict):
        return {renamed(key, new): renamed(one, new) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(renamed(one, new) for one in value)
    return value.replace(OLD, new) if isinstance(value, str) else value


@pytest.fixture
def named(make):
    """Return the maker of a comparison whose names, cases, groups, reasons and notes hold a text."""

    def build(name):
        row = make().rows[-1]
        rows = (*make().rows[:-1], replace(row, failure=f"seed 1: {OLD}"))
        entries = tuple(replace(entry, case=entry.case.replace("case0", OLD)) for entry in make().entries)
        made = make(rows=rows, entries=entries, split=OLD, grouping=OLD, notes=(OLD,), group_notes=(f"about {OLD}",))
        return renamed(made, name)

    return build


def markdown_parts(text):
    """The blocks of a Markdown text with their kinds, and the words in each, as a reader would see them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    words = [
        "".join(child.content for child in token.children if child.type in {"text", "text_special", "softbreak"})
        for token in tokens
        if token.type == "inline"
    ]
    inside = [child.type for token in tokens if token.type == "inline" for child in token.children]
    marks = [kind for kind in inside if kind not in {"text", "text_special"}]
    return [token.type for token in tokens], marks, words


@pytest.mark.parametrize("name", NAMES)
def test_markdown(named, tmp_path, name):
    written = []
    for one in (name, PLAIN):
        exports.write(named(one), tmp_path / "t.md")
        written.append(markdown_parts((tmp_path / "t.md").read_text(encoding="utf-8")))
    (blocks, marks, words), plain = written
    assert (blocks, marks) == plain[:2]
    assert words == [one.replace(PLAIN, name) for one in plain[2]]
    assert name in words


@pytest.mark.parametrize("name", NAMES)
def test_latex(named, tmp_path, name):
    written = []
    for one in (name, PLAIN):
        exports.write(named(one), tmp_path / "t.tex")
        text = (tmp_path / "t.tex").read_text(encoding="utf-8")
        written.append([line for line in text.splitlines() if not line.startswith("%")])
    text, plain = written
    assert text == [re.sub(rf"\b{PLAIN}\b", lambda _: tex(name), line) for line in plain]
    assert any(tex(name) in line for line in text)


SET = {
    **{rf"\{sign}": sign for sign in "&%$#_{}"},
    **{rf"\text{word}{{}}": sign for word, sign in zip(
        ("backslash", "asciitilde", "asciicircum", "less", "greater", "bar", "quotedbl"), "\\~^<>|\"", strict=True)},
    **{f"{{{sign}}}": sign for sign in "*[]`"},
    r"$\pm$": "±", "$-$": "-", "-{}-": "--", r"\dag{}": "†", r"\ddag{}": "‡",
}  # fmt: skip
"""What LaTeX sets for what `escape` may write; nothing else with a sign of its own is written."""


@given(st.text(st.sampled_from(SIGNS.replace("–", "") + "ab1 †‡")))
def test_latex_sets_the_very_text(text):
    form = "|".join(map(re.escape, sorted(SET, key=len, reverse=True)))
    written = tex(text)
    assert not re.search(r"[&%$#_{}\\~^<>|\"`*\[\]]", re.sub(form, "", written.replace("-{}", "-")))
    seen = re.sub(form, lambda found: SET[found[0]], re.sub(r"-\{\}(?=-)", "-", written))
    assert seen == " ".join(text.split())
    assert "--" not in written


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._quiet = [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, sorted(name for name, _ in attrs)))
        self._quiet = tag in {"script", "style"}

    def handle_endtag(self, tag):
        self.tags.append((tag, None))
        self._quiet = False

    def handle_data(self, data):
        if not self._quiet and data.strip():
            self.text.append(data.strip())


@pytest.fixture
def without_figures(monkeypatch):
    """Figures move their labels by width, so their tags differ from name to name; they have tests of their own."""
    monkeypatch.setattr("unseg_bench.report.page.write.drawn_figures", lambda *_, **__: [])


@pytest.mark.parametrize("name", NAMES)
def test_html(named, tmp_path, without_figures, name):
    pages = []
    for one in (name, PLAIN):
        exports.write(named(one), tmp_path / "t.html")
        pages.append(Parsed((tmp_path / "t.html").read_text(encoding="utf-8")))
    assert pages[0].tags == pages[1].tags
    assert name in pages[0].text


@pytest.mark.parametrize("form", [".csv", ".challenger.csv"])
@pytest.mark.parametrize("name", NAMES)
def test_csv(named, tmp_path, name, form):
    exports.write(named(name), tmp_path / f"t{form}")
    rows = list(csv.DictReader(io.StringIO((tmp_path / f"t{form}").read_text(encoding="utf-8"), newline="")))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    labels = {cell_text(row["label" if form == ".csv" else "algorithm"]) for row in rows}
    assert labels == {row.label for row in named(name).rows}


@pytest.mark.parametrize("name", NAMES)
def test_json_and_parquet(named, tmp_path, name):
    for form in (".json", ".parquet"):
        exports.write(named(name), tmp_path / f"t{form}")
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["rows"][-1]["label"] == name
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist()[-1]["label"] == name


@pytest.mark.parametrize("name", CONTROLS)
def test_no_control_character_reaches_a_file_or_the_terminal(named, tmp_path, without_figures, name):
    for form in (".md", ".tex", ".html", ".csv", ".challenger.csv", ".json"):
        exports.write(named(name), tmp_path / f"t{form}")
        assert not _OBEYED.findall((tmp_path / f"t{form}").read_bytes().decode()), form
    shown = io.StringIO()
    print_comparison(
        named(name),
        Console(file=shown, width=100, highlight=False),
        metrics=(DSC,),
        policies=True,
        statistics=True,
        claims=True,
    )
    assert not _OBEYED.findall(shown.getvalue())


@given(st.one_of(st.text(), st.text(st.sampled_from("'=+-@\nab＝"))))
def test_a_cell_reads_back_and_is_no_formula(text):
    if not text.replace("\n", "").isprintable():
        return
    cell = csv_cell(text)
    assert cell_text(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\n", "＝"))


def test_numbers_are_never_put_behind_an_apostrophe():
    assert [csv_cell(value) for value in (-1.5, -3, float("-inf"), True, None)] == ["-1.5", "-3", "-inf", "true", ""]
