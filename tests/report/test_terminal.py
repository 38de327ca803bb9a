"""The printed table: every number and mark is there, at 80 columns and at 160, with colour and without."""

import io
import re

import pytest
from rich.console import Console

from unseg_bench.compare.compare import compare
from unseg_bench.compare.inputs import RunScores
from unseg_bench.report.terminal import print_comparison
from unseg_bench.score.record import CaseScore, Flag


def a_run(label, dsc, *, evidence=False, flags=(), **more):
    scores = [
        CaseScore(f"p{i:02d}", 3.0 * 1.1**i, 4.0, dsc - 0.01 * (i % 7) * dsc, 6 + i % 4 - 3 * dsc, 9, 9, 1, 1, 1, 90, flags)
        for i in range(25)
    ]
    facts = {"method": label, "label_free": "sealed", "dataset": "phantom", "split": "default", "part": "test"}
    return RunScores(label=label, seed=more.pop("seed", 0), evidence=evidence, scores=scores, **facts, **more)


RUNS = [
    a_run("clisc", 0.87),
    a_run("clisc", 0.89, seed=1),
    a_run("threshold", 0.7, is_floor=True),
    a_run("sam-prompts", 0.6, flags=(Flag.EMPTY_PREDICTION,)),
    a_run("supervised-unet", 1.0),
]


def shown(runs, width, *, by_size=True, colour=False):
    file = io.StringIO()
    system = "standard" if colour else None
    console = Console(file=file, width=width, force_terminal=colour, color_system=system, legacy_windows=False)
    print_comparison(compare(runs), console, by_size=by_size)
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 160])
def test_no_line_is_too_wide_and_nothing_is_cut(width):
    text = shown(RUNS, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for word in ("clisc", "threshold", "sam-prompts !", "supervised-unet", "Tiny", "Small", "Medium", "Large", "Huge"):
        assert word in text
    assert text.count("n=5") == 5


def test_one_table_where_it_fits_else_two():
    assert len(re.findall(r"^method ", shown(RUNS, 160), re.MULTILINE)) == 1
    assert len(re.findall(r"^method ", shown(RUNS, 80), re.MULTILINE)) == 2
    assert "Tiny" not in shown(RUNS, 160, by_size=False)


def test_numbers_and_marks_of_a_row():
    text = shown(RUNS, 160)
    (clisc,) = re.findall(r"^clisc +sealed .*$", text, re.MULTILINE)
    (unet,) = re.findall(r"^supervised-unet .*$", text, re.MULTILINE)
    cells = compare(RUNS).rows[0].cells
    assert f"{100 * cells['dsc'].mean:.2f}±{100 * cells['dsc'].sd:.2f}b" in clisc
    assert f"{cells['hd95_mm'].mean:.2f}±{cells['hd95_mm'].sd:.2f}b" in clisc
    assert clisc.count("b") == 7
    assert unet.count("a*") + unet.count("a ") == 7
    assert "a*" in unet


def test_points_stand_in_line():
    rows = re.findall(r"^(?:clisc|threshold|sam-prompts|supervised-unet) .*$", shown(RUNS, 160), re.MULTILINE)
    assert len({row.index("±") for row in rows}) == 1


def test_best_and_second_are_also_styled_in_colour():
    text = shown(RUNS, 160, colour=True)
    assert re.search(r"\x1b\[1m[\d.]+±[\d.]+\x1b\[0ma\*", text)
    assert re.search(r"\x1b\[4m[\d.]+±[\d.]+\x1b\[0mb", text)


def test_footnotes_say_what_must_be_said():
    text = " ".join(shown(RUNS, 80).split())
    for sentence in (
        "phantom figures are no evidence about the real methods",
        "! below the floor threshold in mean DSC: sam-prompts",
        "sam-prompts: 25 of 25 predictions are empty",
        "clisc: mean of 2 seeds within each case",
        "paired t-test, p < 0.001, uncorrected",
        "HD95: pooled; empty masks: diagonal",
    ):
        assert sentence in text


def test_real_data_and_undefined_p():
    runs = [a_run("one", 0.8, evidence=True), a_run("two", 0.8, evidence=True)]
    text = " ".join(shown(runs, 80).split())
    assert "no evidence" not in text
    assert "no p (equal in every case): DSC %, HD95 mm, Tiny, Small, Medium, Large, Huge" in text
    assert "a and b have the same mean: DSC %" in text
