"""Files: well-formed, the same bytes each time, text as text, fonts inside; SVG that can stand in a page."""

import re
from xml.etree import ElementTree

import pytest

from unseg_bench.errors import DataError, ScoreError, SettingsError
from unseg_bench.report.figures.kinds import FigureSettings
from unseg_bench.report.figures.names import NEED_STATISTICS, FigureName
from unseg_bench.report.figures.registry import FIGURES
from unseg_bench.report.figures.write import figure_bytes, figure_svg, write_figures

SVG = "{http://www.w3.org/2000/svg}"


def test_the_registry_has_every_name_in_order():
    assert list(FIGURES) == list(FigureName)
    assert all(kind.name == name and kind.title for name, kind in FIGURES.items())


@pytest.mark.parametrize("methods", [1, 3])
def test_captions_never_fail(make, methods):
    for comparison in (make(methods), make(methods, statistics=None)):
        assert all(kind.caption(comparison).endswith(".") for kind in FIGURES.values())


@pytest.mark.parametrize("name", sorted(NEED_STATISTICS))
def test_svg_is_well_formed_and_keeps_text(make, name):
    comparison = make(8)
    data = figure_bytes(FIGURES[name].draw(comparison), "svg")
    written = "".join(element.text or "" for element in ElementTree.fromstring(data).iter(f"{SVG}text"))
    assert "<script>" in written
    assert b"<script" not in data
    assert b"date" not in data.lower()
    assert data == figure_bytes(FIGURES[name].draw(comparison), "svg")


def test_pdf_embeds_fonts_and_is_the_same_twice(make):
    comparison = make(3)
    data = figure_bytes(FIGURES["volumes"].draw(comparison), "pdf")
    assert data.startswith(b"%PDF")
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    assert b"CreationDate" not in data
    assert data == figure_bytes(FIGURES["volumes"].draw(comparison), "pdf")


def test_png_is_the_same_twice(make):
    data = [figure_bytes(FIGURES["volumes"].draw(make(1)), "png") for _ in range(2)]
    assert data[0].startswith(b"\x89PNG")
    assert data[0] == data[1]
    assert b"Software" not in data[0]


@pytest.mark.parametrize("kind", ["dsc-by-size", "volumes", "critical-difference"])
def test_inline_svg_is_one_described_element_with_ids_of_its_own(make, kind):
    figure = FIGURES[kind].draw(make(8))
    svg = figure_svg(figure, "one", "A <title> & more", 'With "quotes"')
    root = ElementTree.fromstring(svg)
    assert svg.startswith("<svg ")
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "A <title> & more"
    assert root.find(f"{SVG}desc").text == 'With "quotes"'
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("one-") for name in ids)
    assert set(root.get("aria-labelledby").split()) <= set(ids)
    referred = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg)
    assert referred
    assert {one or other for one, other in referred} <= set(ids)
    assert "<style" not in svg
    assert svg == figure_svg(FIGURES[kind].draw(make(8)), "one", "A <title> & more", 'With "quotes"')


def test_all_that_can_be_drawn_is_written_and_the_rest_explained(make, tmp_path):
    written = write_figures(make(2), FigureSettings(), tmp_path / "new" / "folder", formats=["png"])
    drawn = ["dsc-by-size", "paired-differences", "ranking-stability", "volumes"]
    assert [kind.name for kind, _ in written.figures] == drawn
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(f"{n}.png" for n in drawn)
    assert "fewer than three methods" in written.not_drawn["critical-difference"]
    assert set(written.not_drawn) == {"critical-difference", "examples", "sweep"}


def test_named_figures_must_be_drawn(make, tmp_path):
    with pytest.raises(ScoreError, match="fewer than three"):
        write_figures(make(2), FigureSettings(), tmp_path, ["critical-difference"])
    with pytest.raises(SettingsError, match="Did you mean 'volumes'"):
        write_figures(make(2), FigureSettings(), tmp_path, ["volume"])
    with pytest.raises(SettingsError, match="--format gif"):
        write_figures(make(2), FigureSettings(), tmp_path, formats=["gif"])
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="--out"):
        write_figures(make(2), FigureSettings(), tmp_path / "file", ["volumes"], ["png"])
