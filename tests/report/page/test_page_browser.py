"""The page in Chromium, on a wide screen and on a telephone: it works, alone, for eyes, hands and ears."""

import os
import shutil
from dataclasses import dataclass, field

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from unseg_bench.report.case_images import CaseImages

WIDTHS = [1280, 390]
SEVERE = {"serious", "critical"}


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests here; CI must have it."""
    path = shutil.which("chromium")
    if path is None and os.environ.get("CI"):
        pytest.fail("chromium is not installed; .ci/run installs it: apt-get install chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Opened:
    """A tab with the page, and what it complained of or asked for."""

    tab: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def column(self, table, number):
        return self.tab.locator(f"#{table} tbody tr > :nth-child({number})").all_inner_texts()

    def open_case(self, case):
        self.tab.locator(f'button.case[data-case="{case}"]').click()
        self.tab.wait_for_selector("#viewer canvas[data-voxels]")

    def slide_to(self, index):
        self.tab.locator("#slice").evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", index)

    def pictures(self):
        return self.tab.eval_on_selector_all("#viewer canvas", "all => all.map(c => c.toDataURL())")

    def facts(self):
        return self.tab.eval_on_selector_all(
            "#viewer canvas", "all => all.map(c => [+c.dataset.voxels, c.dataset.box])"
        )


@pytest.fixture
def opened(chromium: Browser, page):
    """A function that opens the page; at the end nothing may have gone wrong and nothing may have been fetched."""
    contexts, tabs = [], []

    def open_page(width=1280, *, javascript=True):
        context = chromium.new_context(
            viewport={"width": width, "height": 850}, offline=True, java_script_enabled=javascript
        )
        contexts.append(context)
        one = Opened(context.new_page())
        one.tab.on("console", lambda message: one.complaints.append(message.text))
        one.tab.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.tab.on("request", lambda request: one.requests.append(request.url))
        one.tab.goto(page.as_uri())
        tabs.append(one)
        return one

    yield open_page
    for one in tabs:
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith("data:")] == [page.as_uri()]
    for context in contexts:
        context.close()


def problems(tab, part=None):
    """Return what axe finds serious or critical in the page or a part of it."""
    found = Axe().run(tab, context=part, options={"resultTypes": ["violations"]}).response
    assert len(found["passes"]) > 5
    return [(one["id"], one["nodes"][0]["html"]) for one in found["violations"] if one["impact"] in SEVERE]


def overflow(tab):
    return tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_is_accessible_with_and_without_a_case_open(opened, width):
    one = opened(width)
    assert overflow(one.tab) == 0
    assert problems(one.tab) == []
    one.open_case("case-4")
    assert overflow(one.tab) == 0
    assert one.tab.locator("#viewer").evaluate("e => e.scrollWidth - e.clientWidth") == 0
    assert problems(one.tab, "#viewer") == []


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_a_heading_sorts_its_table_both_ways(opened, width):
    one = opened(width)
    heading = one.tab.locator("#table-main thead th").nth(2)
    orders = []
    for direction in ("ascending", "descending"):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == direction
        assert one.tab.locator('#table-main th[aria-sort="none"]').count() > 2
        orders.append(one.column("table-main", 3))
    numbers = [float(text.partition("±")[0]) for text in orders[0]]
    assert len(set(numbers)) == 3
    assert numbers == sorted(numbers)
    assert orders[1] == orders[0][::-1]
    assert one.tab.locator("#status").inner_text() == "Sorted by DSC % n=6, descending"


def test_the_worst_cases_come_first_and_words_sort_as_words(opened):
    one = opened()
    means = [float(text) for text in one.column("table-per-case", 4)]
    assert means == sorted(means)
    assert means[0] < means[-1]
    assert one.tab.locator("#table-per-case th").nth(3).get_attribute("aria-sort") == "ascending"
    one.tab.locator("#table-per-case thead button").first.click()
    assert one.column("table-per-case", 1) == sorted(one.column("table-per-case", 1))


def test_every_mask_on_every_slice_is_the_one_that_was_given(opened, made, comparison):
    one = opened()
    picture = CaseImages.of(made.runs).load("case-3")
    one.open_case("case-3")
    masks = [picture.reference, *(picture.predictions[label] for label in comparison.labels)]
    first = int(one.tab.locator("#slice").input_value())
    slices = int(one.tab.locator("#slice").get_attribute("max")) + 1
    largest = int(picture.reference.sum(axis=(0, 1)).argmax())
    for index in range(slices):
        one.slide_to(index)
        z = largest + 2 * (index - first)
        place = f"{index + 1} of {slices} (z = {z + picture.start[2]})"
        assert one.tab.locator('[data-part="place"]').inner_text() == place
        for mask, (voxels, box) in zip(masks, one.facts(), strict=True):
            columns, rows = np.nonzero(mask[:, :, z])
            assert voxels == len(columns)
            corners = [columns.min(), rows.min(), columns.max(), rows.max()] if voxels else []
            assert box == " ".join(map(str, corners))


def test_the_image_lies_below_its_mask(opened, made):
    one = opened()
    one.open_case("case-5")
    for name in ("reference", "prediction"):
        one.tab.locator(f'#viewer [data-part="{name}"]').uncheck()
    left, top, right, bottom = map(int, one.facts()[0][1].split())
    width = CaseImages.of(made.runs).load("case-5").image.shape[0]
    x, y = (left + right) // 2, (top + bottom) // 2
    levels = """(canvas, [width, points]) => {
      const scale = canvas.width / width;
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const at = (value) => Math.floor((value + 0.5) * scale);
      return points.map(([x, y]) => pixels[4 * (at(y) * canvas.width + at(x))]);
    }"""
    points = [[x, y], [width - 1 - x, y], [0, 0]]
    inside, mirrored, outside = one.tab.locator("#viewer canvas").first.evaluate(levels, [width, points])
    assert inside > 200 > 130 > mirrored > outside
    assert outside < 12


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_slider_arrows_and_toggles_change_the_picture(opened, width):
    one = opened(width)
    one.open_case("case-4")
    seen = [one.pictures()]
    place = one.tab.locator('[data-part="place"]')
    middle = place.inner_text()
    one.tab.locator("#slice").press("ArrowRight")
    seen.append(one.pictures())
    one.tab.locator('[data-part="close"]').press("ArrowLeft")
    assert place.inner_text() == middle
    assert one.pictures() == seen[0]
    for name in ("reference", "prediction"):
        one.tab.locator(f'#viewer [data-part="{name}"]').uncheck()
        seen.append(one.pictures())
    good = one.tab.locator("#viewer figure b").all_inner_texts().index("good")
    assert len({pictures[good] for pictures in seen}) == 4
    assert len({pictures[0] for pictures in seen[2:]}) == 1


def test_the_keyboard_is_enough(opened):
    one = opened()
    one.tab.keyboard.press("Tab")
    assert one.tab.evaluate("document.activeElement.textContent") == "Skip to the content"
    button = one.tab.locator("button.case").first
    case = button.inner_text()
    button.focus()
    one.tab.keyboard.press("Enter")
    one.tab.wait_for_selector("#viewer canvas[data-voxels]")
    title = one.tab.locator("#viewer-title")
    assert title.inner_text() == case
    one.tab.locator('[data-part="after"]').press("Enter")
    assert title.inner_text() == one.tab.locator("button.case").nth(1).inner_text()
    one.tab.keyboard.press("Escape")
    assert not one.tab.locator("#viewer").is_visible()
    assert one.tab.evaluate("document.activeElement.dataset.case") == case


def test_without_javascript_all_but_the_pictures_can_be_read(opened, comparison):
    one = opened(javascript=False)
    assert one.tab.get_by_text("The pictures need JavaScript").is_visible()
    assert one.tab.locator("table").count() > 8
    assert one.tab.locator("svg").count() >= 5
    assert one.tab.locator("#table-per-case tbody tr").count() == len(comparison.cases)
    assert one.tab.locator("button:enabled:visible").count() == 0
    one.tab.locator("summary").first.click()
    assert one.tab.get_by_text("d1g357").first.is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_a_long_name_is_folded(opened, width):
    name = opened(width).tab.locator("#table-main tbody th").first
    wide = "e => { e.textContent = 'long-'.repeat(30); return e.getBoundingClientRect().width }"
    assert name.evaluate(wide) < width / 2
