"""The printed tables: every number and mark is there, at every width, with colour and without."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from unseg_bench.report.statistics_tables import statistics_tables
from unseg_bench.report.tables import false_claims_table, group_table, main_table, policies_table
from unseg_bench.report.terminal import print_comparison
from unseg_bench.score.metrics import DEFAULT, DSC

SAM = "sam|x_1 & <script>"
BOTH = DEFAULT


def shown(comparison, width, *, colour=False, **asked):
    file = io.StringIO()
    system = "standard" if colour else None
    console = Console(
        file=file, width=width, force_terminal=colour, color_system=system, legacy_windows=False, highlight=False
    )
    print_comparison(comparison, console, **asked)
    return file.getvalue()


def everything(comparison, width):
    return shown(comparison, width, metrics=BOTH, policies=True, statistics=True, claims=True)


@pytest.mark.parametrize("width", range(60, 161, 5))
def test_no_line_is_too_wide_and_no_number_is_cut(make, width):
    text = everything(make(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    words = text.split()
    split = not re.search(r"^method +label-free .*Tiny|Tiny +Small.*\n.*DSC %", text)
    tables = [
        main_table(make()),
        *(group_table(make(), metric, 1 if split else 2) for metric in BOTH),
        policies_table(make()),
        false_claims_table(make(), make().published),
        *statistics_tables(make(), digits=1),
    ]
    for table in tables:
        for row in table.rows:
            for column, cell in zip(table.columns, row, strict=True):
                if column.number:
                    for word in cell.text.split():
                        assert any(found.startswith(word) for found in words), (word, table.key)


def test_groups_stand_beside_where_they_fit_else_below(make):
    comparison = make(published=None)
    for width, pieces in ((80, 2), (100, 2), (160, 1)):
        text = shown(comparison, width, metrics=(DSC,))
        assert len(re.findall(r"^method ", text, re.MULTILINE)) == pieces
    assert "Tiny" not in shown(comparison, 160)


def test_long_names_fold_and_numbers_stay_whole(make):
    comparison = make()
    long = "a-method (with-quite-a-preset, 0123abcd, and more to say)"
    rows = (replace(comparison.rows[0], label=long), *comparison.rows[1:])
    tests = tuple(replace(test, best=long, firsts=(long,)) for test in comparison.tests)
    text = shown(replace(comparison, rows=rows, tests=tests, statistics=None), 60, metrics=BOTH)
    assert max(map(len, text.splitlines())) <= 60
    assert re.search(r"^a-method[ (].* sealed +85\.60±9\.26a\*", text, re.MULTILINE)
    assert "0123abcd" in text


def test_numbers_and_marks_of_rows(make):
    rows = {
        line.split()[0]: line.split()[1:]
        for line in shown(make(published=None), 160).splitlines()
        if re.match(r"(clisc|threshold|=cmd) +sealed", line)
    }
    assert rows == {
        "clisc": ["sealed", "85.60±9.26a*", "6.72±5.41a*"],
        "threshold": ["sealed", "70.00±9.26", "110.50±5.41"],
        "=cmd": ["sealed", "81.25±9.26b", "9.03±5.41b"],
    }
    assert f"{SAM} †" in shown(make(), 160)
    assert re.search(r"60\.00±9\.26 2e 1m +27\.44±5\.41 2e 1m n=9", shown(make(), 160))


def test_points_stand_in_line(make):
    rows = re.findall(r"^.* sealed .*$", shown(make(), 160), re.MULTILINE)
    assert len(rows) == 4
    assert len({tuple(found.start() for found in re.finditer("±", row)) for row in rows}) == 1


def test_best_and_second_are_also_styled_in_colour(make):
    text = shown(make(), 160, colour=True)
    assert re.search(r"\x1b\[1m85\.60±9\.26\x1b\[0ma\*", text)
    assert re.search(r"\x1b\[4m81\.25±9\.26\x1b\[0mb", text)


def test_published_rows_come_below_a_rule_unmarked(make):
    text = shown(make(), 160)
    before, rule, after = text.partition("─")
    assert rule
    assert "published" not in before
    assert "published, other data: the paper, Table 1" in after
    assert re.search(r"^CLISC \(published\) +yes +79\.70±9\.58 +6\.72±5\.41$", after, re.MULTILINE)
    assert "Probability that 'better beats worse'" in after
    assert "published" not in shown(make(published=None), 160)


def test_warnings_come_last(make):
    for text in (shown(make(), 100), everything(make(), 100)):
        assert text.splitlines()[-2:] == [
            f"† below the floor threshold in mean DSC: {SAM}",
            "phantom figures are no evidence about the real methods",
        ]
    assert "phantom figures" not in shown(make(evidence=True), 100)


def test_only_what_was_asked_for(make):
    plain = shown(make(published=None), 100)
    assert "diagonal: the image's" not in plain
    assert "Friedman" not in plain
    assert "What these figures carry" not in plain
    assert "‡ its place changes with the policy" in shown(make(), 100, policies=True)
    assert "Friedman" in shown(make(), 100, statistics=True)
    assert "clisc better than =cmd" in " ".join(shown(make(), 100, claims=True).split())


def test_a_note_is_said_once(make):
    text = " ".join(shown(make(), 100, statistics=True).split())
    assert text.count("it can reject when the means are equal") == 1
