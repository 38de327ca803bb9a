"""The paper's printed table: its figures, its audit, and what its claims are worth."""

import csv
from math import sqrt

import nibabel as nib
import numpy as np
import pytest
from scipy import stats

from unseg_bench.compare.build import compare
from unseg_bench.compare.comparison import PublishedCell
from unseg_bench.compare.published_table import DIAGONAL_MM, probability_false, read_published
from unseg_bench.compare.settings import CompareSettings

BESIDE = CompareSettings(published="table1")
KEYS = ["dsc", "hd95_mm", "dsc:tiny", "dsc:small", "dsc:medium", "dsc:large", "dsc:huge"]
AUDIT = {
    "SaLIP": 0.27,
    "AMCons": 1.63,
    "GradCAMCons": 2.51,
    "3D IF": -1.45,
    "Sim2Real": -0.93,
    "CLISC": 0.08,
    "SAM": -0.74,
    "Fullsup": 0.14,
}


@pytest.fixture(scope="module")
def published(make_run):
    return compare([make_run("m", [0.5] * 10)], BESIDE).published


def test_only_when_asked_for(make_run):
    assert compare([make_run("m", [0.5] * 10)]).published is None


def test_the_rows(published):
    assert [row.label for row in published.rows] == list(AUDIT)
    clisc = next(row for row in published.rows if row.label == "CLISC")
    assert list(clisc.cells) == KEYS
    assert clisc.label_free == "yes"
    assert (clisc.cells["dsc"].mean, clisc.cells["dsc"].sd) == pytest.approx((0.856, 0.0926))
    assert (clisc.cells["hd95_mm"].mean, clisc.cells["hd95_mm"].sd) == (6.72, 5.41)
    assert clisc.cells["dsc:huge"].mean == pytest.approx(0.8993)
    assert "CLISC, Ma et al., ISBI 2025, Table 1" in published.source


def test_the_shipped_figures_are_the_printed_ones(shared_dir):
    with (shared_dir / "paper" / "table1.csv").open(newline="") as file:
        printed = {row["method"]: row for row in csv.DictReader(file)}
    for row in read_published():
        for key, cell in row.cells.items():
            name, scale = key.replace(":", "_").replace("_mm", ""), 1 if key == "hd95_mm" else 100
            assert scale * cell.mean == pytest.approx(float(printed[row.label][f"{name}_mean"]))
            assert scale * cell.sd == pytest.approx(float(printed[row.label][f"{name}_std"]))


def test_the_audit(published):
    assert {row.label: round(100 * row.difference, 2) for row in published.audit} == AUDIT


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(
    ("one", "other"), [((0.8, 0.1), (0.77, 0.13)), ((0.5, 0.2), (0.6, 0.1)), ((0.5, 0.1), (0.5, 0.3))]
)
def test_the_formula_is_scipys(one, other, correlation):
    spread = sqrt(one[1] ** 2 + other[1] ** 2 - 2 * one[1] * other[1] * correlation)
    expected = stats.t.cdf(sqrt(15) * (other[0] - one[0]) / spread, 14)
    found = probability_false(PublishedCell(*one), PublishedCell(*other), 15, correlation)
    assert found == pytest.approx(expected, rel=1e-9)


def test_without_any_spread():
    cells = [PublishedCell(mean, 0.0) for mean in (0.5, 0.6)]
    assert [probability_false(one, other, 15, 0.5) for one in cells for other in cells] == [0.5, 1.0, 0.0, 0.5]


def test_the_claims(published):
    claims = {(claim.better, claim.worse, claim.column): claim for claim in published.false_claims}
    assert len(claims) == len(published.false_claims)
    tiny = claims["CLISC", "Fullsup", "dsc:tiny"]
    assert (tiny.n, tiny.measured, list(tiny.by_correlation)) == (15, False, [f"0.{i}" for i in range(10)])
    assert round(tiny.by_correlation["0.5"], 2) == 0.23
    assert claims["Fullsup", "CLISC", "dsc"].n == 75
    assert ("CLISC", "SAM", "dsc") in claims
    assert ("CLISC", "Fullsup", "dsc") not in claims
    assert {key[2] for key in claims} == set(KEYS) - {"hd95_mm"}
    assert all(0.0 <= p <= 0.5 for claim in claims.values() for p in claim.by_correlation.values())


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"split": "mine"}, False),
        ({"dataset": "folder"}, False),
        ({"part": "valid"}, False),
        ({"diagonal_mm": 372.9}, False),
    ],
)
def test_the_papers_own_cases(make_run, change, same):
    facts = {"dataset": "brats2020", "split": "published-257-37-75", "diagonal_mm": DIAGONAL_MM} | change
    runs = [
        make_run(label, [dsc - 0.001 * i for i in range(75)], **facts) for label, dsc in (("poor", 0.5), ("ours", 0.9))
    ]
    found = compare(runs, BESIDE)
    assert found.published.same_cases == same
    measured = [claim for claim in found.published.false_claims if claim.measured]
    assert len(measured) == (48 if same else 0)
    assert {claim.better for claim in measured} == ({"ours"} if same else set())
    if same:
        claim = next(claim for claim in measured if (claim.worse, claim.column) == ("Fullsup", "dsc"))
        cell = found.rows[1].cells["dsc"]
        ours, theirs = PublishedCell(cell.mean, cell.sd), PublishedCell(0.8797, 0.0935)
        assert claim.by_correlation["0.3"] == pytest.approx(probability_false(ours, theirs, 75, 0.3))
        assert claim.by_correlation["0.3"] > 0.5


def test_74_cases_are_other_cases(make_run):
    facts = {"dataset": "brats2020", "split": "published-257-37-75", "diagonal_mm": DIAGONAL_MM}
    found = compare([make_run("m", [0.5] * 74, **facts)], BESIDE).published
    assert (found.same_cases, found.why_other) == (False, "74 cases, not 75")


def test_names_alone_do_not_make_the_papers_cases(make_run, tmp_path):
    """The right names on images of another grid, and on one whose diagonal happens to be the same."""
    facts = {"dataset": "brats2020", "split": "published-257-37-75"}
    small = compare([make_run("m", [0.5] * 75, **facts)], BESIDE).published
    assert small.why_other == "case p00 has a diagonal of 90.00 mm, BraTS2020 373.13 mm"
    run = make_run("m", [0.5] * 75, diagonal_mm=DIAGONAL_MM, folder=tmp_path, **facts)
    assert compare([run], BESIDE).published.same_cases
    folder = tmp_path / "predictions"
    folder.mkdir()
    for case, shape in (("p00", (240, 240, 155)), ("p07", (155, 240, 240))):
        nib.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)).to_filename(folder / f"{case}.nii.gz")
    found = compare([run], BESIDE).published
    assert found.why_other == "case p07 has 155 x 240 x 240 voxels of 1 x 1 x 1 mm, BraTS2020 240 x 240 x 155 of 1 mm"


def test_table_2_has_no_groups_so_no_audit(make_run, shared_dir):
    found = compare([make_run("Ours", [0.5] * 10)], CompareSettings(published="table2")).published
    assert found.source.endswith("Table 2")
    assert found.audit == ()
    assert {claim.column for claim in found.false_claims} == {"dsc"}
    assert {claim.better for claim in found.false_claims} == {"Ours"}
    assert (found.rows[-1].label, found.rows[-1].label_free) == ("Ours", "")
    with (shared_dir / "paper" / "table2.csv").open(newline="") as file:
        for row, printed in zip(found.rows, csv.DictReader(file), strict=True):
            assert row.label == printed["row"]
            assert 100 * row.cells["dsc"].mean == pytest.approx(float(printed["dsc_mean"]))
            assert row.cells["hd95_mm"].sd == float(printed["hd95_std"])
