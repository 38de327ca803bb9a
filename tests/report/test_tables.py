"""The neutral tables, cell by cell."""

from dataclasses import replace

import pytest

from unseg_bench.compare.comparison import Cell
from unseg_bench.compare.statistics.record import Interval
from unseg_bench.report.statistics_tables import interval_table, statistics_tables
from unseg_bench.report.tables import false_claims_table, group_table, main_table, policies_table, score_tables
from unseg_bench.report.text_table import TextCell
from unseg_bench.score.metrics import DSC, HD95

SAM = "sam|x_1 & <script>"


def table_named(comparison, key):
    return {table.key: table for table in (*score_tables(comparison), *statistics_tables(comparison))}[key]


def texts(row):
    return [cell.text for cell in row]


def test_main_table(make):
    table = main_table(make(), (DSC,))
    assert [column.heading for column in table.columns[:5]] == [
        ("method",),
        ("label-free",),
        ("DSC %", "n=10", "1 no tumour"),
        ("HD95 mm", "n=10", "1 no tumour"),
        ("Tiny", "DSC %", "0.5–2.1", "ml, n=2", "1 no tumour"),
    ]
    assert table.columns[7].heading == ("Large", "DSC %", "25", "ml, n=2")
    clisc, threshold, sam, cmd = table.sections[0].rows
    assert texts(clisc)[:5] == ["clisc", "sealed", "85.60±9.26", "6.72±5.41", "83.60±9.26"]
    assert clisc[2] == TextCell("85.60±9.26", "best", star=True)
    assert clisc[4] == TextCell("83.60±9.26", "best", star=False)
    assert cmd[3] == TextCell("9.03±5.41", "second")
    assert threshold[3] == TextCell("110.50±5.41")
    assert sam[0] == TextCell(SAM, marks=("†",))
    assert sam[2].marks == ("2e", "1m")
    assert sam[3].marks == ("2e", "1m", "n=9")
    assert sam[5].marks == ()
    assert group_table(make(), DSC, digits=1).rows[0][1].text == "83.6±9.3"


def test_rows_of_one_mean_look_alike(make):
    def emphases(firsts, seconds):
        tests = tuple(replace(test, firsts=firsts, seconds=seconds) for test in make().tests)
        found = {row[0].text: row[2].emphasis for row in main_table(make(tests=tests)).sections[0].rows}
        return [found[label] for label in ("clisc", "=cmd", "threshold")]

    assert emphases(("clisc",), ("=cmd",)) == ["best", "second", ""]
    assert emphases(("clisc",), ("=cmd", "threshold")) == ["best", "second", "second"]
    assert emphases(("clisc", "=cmd"), ()) == ["best", "best", ""]


def test_what_does_not_compete_stands_below_a_rule(make):
    standing = {"threshold": "floors", SAM: "with labels"}
    rows = tuple(replace(row, section=standing.get(row.label, "")) for row in make().rows)
    table = main_table(make(rows=rows, published=None))
    assert [(section.title, [row[0].text for row in section.rows]) for section in table.sections] == [
        ("", ["clisc", "=cmd"]),
        ("with labels", [SAM]),
        ("floors", ["threshold"]),
    ]
    assert "best and second best are among the rows above 'with labels'" in table.notes
    assert not any("rows above" in note for note in main_table(make()).notes)


def test_a_row_of_a_run_that_failed_says_so(make):
    rows = tuple(replace(row, failure="no space" if row.label == "=cmd" else None) for row in make().rows)
    marks = {row[0].text: row[0].marks for row in main_table(make(rows=rows)).rows}
    assert (marks["=cmd"], marks["clisc"]) == (("failed",), ())


def test_the_title_says_when_no_mean_is_over_all_cases(make):
    assert main_table(make()).title == "phantom, split s_1, test: 10 cases"
    assert main_table(make(planned=12)).title == "phantom, split s_1, test: 10 of 12 cases"


def test_published_rows_stand_apart_and_win_nothing(make):
    section = main_table(make(), (DSC,)).sections[1]
    assert section.title == "published, other data: the paper, Table 1"
    assert texts(section.rows[0])[:5] == ["CLISC (published)", "yes", "79.70±9.58", "6.72±5.41", "79.70±9.58"]
    assert not any(cell.emphasis or cell.star or cell.marks for cell in section.rows[0])
    same = replace(make().published, same_cases=True)
    assert main_table(make(published=same)).sections[1].title.startswith("published, the same cases")
    assert len(main_table(make(published=None)).sections) == 1
    assert len(group_table(make(), HD95).sections) == 1


def test_notes(make):
    table = main_table(make())
    for note in (
        "* best against second best, paired t-test, p < 0.001, per column, uncorrected",
        f"e: predictions without a voxel on a case with a tumour: {SAM} 2 of 10",
        f"m: cases without a prediction: {SAM} 1 of 10",
        "n: cases in the mean, where it is not over all",
        "seeds are averaged within each case; sd of the seeds' mean DSC, in points (n-1 in the denominator): "
        "clisc 1.23 (2 seeds)",
        "HD95: 95th percentile of the surface distances of both directions together; a case of which one mask is empty "
        "counts as the diagonal of its image",
        "a note",
    ):
        assert note in table.notes
    assert table.notes[-1].endswith("CLISC +0.08, SAM -0.74")
    assert not any("size groups" in note for note in table.notes)
    assert "a note on groups" not in table.notes
    assert any("size groups" in note for note in group_table(make(), DSC).notes)
    assert "a note on groups" in group_table(make(), DSC).notes


def test_every_table_carries_the_warnings(make):
    tables = (*score_tables(make()), *statistics_tables(make()))
    assert len({table.key for table in tables}) == len(tables) == 17
    for table in tables:
        assert table.warnings == (
            f"† below the floor threshold in mean DSC: {SAM}",
            "phantom figures are no evidence about the real methods",
        )
        assert {len(row) for row in table.rows} == {len(table.columns)}
    assert main_table(make(evidence=True)).warnings == (f"† below the floor threshold in mean DSC: {SAM}",)


def test_a_method_without_a_case_in_a_column(make):
    comparison = make()
    row = replace(comparison.rows[0], cells=comparison.rows[0].cells | {"dsc": Cell(None, None, 0, 0, 0)})
    found = main_table(replace(comparison, rows=(row, *comparison.rows[1:]))).rows[0][2]
    assert (found.text, found.marks) == ("–", ("n=0",))


def test_policies(make):
    table = policies_table(make())
    assert texts(table.rows[0]) == ["clisc", "0", *["6.72 (1)"] * 4]
    assert texts(table.rows[2]) == [SAM, "2", "27.44 (1)", "27.44 (4)", "27.44 (2.5)", "27.44 (2.5)"]
    assert table.rows[2][0].marks == ("†", "‡")
    assert table.rows[2][3].marks == ("n=9",)


def test_false_claims(make):
    table = false_claims_table(make(), make().published)
    assert [column.heading for column in table.columns] == [("better",), ("worse",), ("Tiny",)]
    assert texts(table.rows[0]) == ["CLISC", "Fullsup", ".29/.19/.11"]


def test_differences_of_a_family(make):
    table = table_named(make(), "overall-dsc-differences")
    assert [column.heading[0] for column in table.columns[:3]] == ["method", "n", "mean d"]
    assert texts(table.rows[0]) == [
        *("threshold", "10", "+10.00", "8.00 to 13.00", "9.00 to 12.00"),
        *("+10.00", "8.00 to 12.00", "0.33", "-0.50", "+10.00", "7/1/2", "1"),
    ]
    assert table.rows[1][0].marks == ("†",)
    assert table.rows[2][4].text == "–"
    assert "no interval (one case only): =cmd" in table.notes
    assert texts(table_named(make(), "overall-hd95-differences").rows[0])[2:4] == ["-3.50", "-3.52 to -3.47"]


def test_tests_of_a_family(make):
    table = table_named(make(), "overall-dsc-tests")
    assert [" ".join(column.heading) for column in table.columns] == [
        *("method", "sign-flip p (Holm)", "t-test p (Holm)", "Wilcoxon p (Holm)"),
        *("sign test p (Holm)", "TOST ±2.0 p (Holm)", "worst case p"),
    ]
    assert texts(table.rows[0]) == [
        *("threshold", "<.001 (.023)", "<.001 (.023)", ".500 (1.00)", ".340 (.680)", ".030 (.060)", ".200"),
    ]
    assert table.rows[2][1].text == "–"
    assert "no p (equal in every case): =cmd" in table.notes
    assert any(
        note.startswith("Wilcoxon signed-rank test (Pratt): the differences are symmetric") for note in table.notes
    )
    assert not any("exploratory" in note for note in table.notes)
    assert len(table_named(make(), "overall-hd95-tests").columns) == 6


def test_groups_are_named_and_exploratory(make):
    table = table_named(make(), "groups-tests")
    assert table.title == "DSC in groups (exploratory): tests"
    assert texts(table.rows[0])[:2] == ["Tiny", "threshold"]
    assert len(table.rows) == 15
    assert table.lead == 2
    assert any("corrected over the 10 comparisons of this family that have a p" in note for note in table.notes)
    assert "no p (equal in every case): Tiny DSC % =cmd" in " ".join(table.notes)


@pytest.mark.parametrize(
    ("key", "interval", "said"),
    [
        ("dsc", (0.1, 0.9), None),
        ("dsc", (-0.1, 0.9), "passes 0 or 100 %"),
        ("dsc", (0.1, 1.1), "passes 0 or 100 %"),
        ("hd95_mm", (1.0, 500.0), None),
        ("hd95_mm", (-1.0, 5.0), "passes 0 mm"),
    ],
)
def test_an_interval_beyond_what_a_mean_can_be_is_said_so(make, key, interval, said):
    found = make()
    one = replace(found.statistics.mean_intervals[0], column=key, t_interval=Interval(*interval))
    comparison = replace(found, statistics=replace(found.statistics, mean_intervals=(one,)))
    notes = interval_table(comparison, comparison.statistics, comparison.metric(key), "Student's t").notes
    assert [said in note for note in notes] == ([True] if said else [])


def test_intervals(make):
    table = table_named(make(), "intervals-dsc-bca")
    assert [column.heading[0] for column in table.columns] == ["method", "all cases", "Tiny"]
    assert texts(table.rows[0]) == ["clisc", "51.00 to 69.00", "51.00 to 69.00"]
    assert texts(table_named(make(), "intervals-dsc-t").rows[0])[1] == "50.00 to 70.00"


def test_sets_of_friedman(make):
    table = table_named(make(), "friedman")
    assert [texts(row)[:3] for row in table.rows] == [
        ["clisc", "1.00", "A"],
        ["threshold", "2.00", "AB"],
        [SAM, "3.00", "B"],
        ["=cmd", "4.00", "C"],
    ]
    assert table.notes[0] == "DSC: Friedman's chi-square 12.50, p=.006, n=10; critical difference of mean ranks 1.48"
    assert "methods that share a letter are not told apart at .05" in table.notes
    found = make().statistics
    untested = tuple(replace(one, critical_difference=None, reason="why not") for one in found.friedman)
    plain = table_named(make(statistics=replace(found, friedman=untested)), "friedman")
    assert plain.notes[0] == "DSC: no test (why not), n=10"
    assert not any("letter" in note for note in plain.notes)


def test_rankings(make):
    table = table_named(make(), "ranking-hd95_mm")
    assert texts(table.rows[1]) == ["threshold", "2", "2.00", ".25", "2"]
    assert "median 0.80" in table.notes[0]


def test_interactions(make):
    table = table_named(make(), "interactions")
    assert texts(table.rows[0]) == [
        *("threshold", "10", "-1.20", "-3.00 to 1.00", ".040 (.120)", "0.40 (.200)", "120"),
    ]


def test_seeds(make):
    table = table_named(make(), "seeds")
    assert [texts(row) for row in table.rows] == [["clisc", "DSC %", "0, 1", "85.00, 86.00", "0.71"]]


def test_without_statistics(make):
    assert statistics_tables(make(statistics=None)) == ()


def test_two_different_means_never_print_alike(make):
    """Rows a hair apart get as many decimals as that takes, in every table of means; equal rows get two."""
    comparison = make()
    first, second, *others = comparison.rows
    mean = first.cells["dsc"].mean
    near = replace(second, cells=second.cells | {"dsc": replace(second.cells["dsc"], mean=mean + 1.2e-6)})
    shown = [texts(row)[2] for row in main_table(replace(comparison, rows=(first, near, *others))).rows]
    assert len(set(shown)) == len(shown)
    assert shown[0].startswith("85.6000")
    same = replace(second, cells=second.cells | {"dsc": replace(second.cells["dsc"], mean=mean + 1e-15)})
    assert texts(main_table(replace(comparison, rows=(first, same, *others))).rows[0])[2].startswith("85.60±")


def test_a_difference_never_prints_as_nothing(make):
    comparison = make()
    family, *others = comparison.statistics.families
    small = replace(family.pairs[0], mean_difference=3e-6)
    families = (replace(family, pairs=(small, *family.pairs[1:])), *others)
    changed = replace(comparison, statistics=replace(comparison.statistics, families=families))
    row = table_named(changed, "overall-dsc-differences").rows[0]
    assert texts(row)[2] == "+0.0003"
