"""The paper's printed tables, their audit, and how sure its claims are from means and deviations alone."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from statistics import fmean

from unseg_bench.compare.comparison import AuditRow, FalseClaim, MethodRow, Published, PublishedCell, PublishedRow
from unseg_bench.compare.groups import FIVE_NAMES
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.paired import t_tail
from unseg_bench.run.folder import RunFolder

CASES = 75
SAME_DATA = ("brats2020", "published-257-37-75", "test")
"""Data set, split and part of the printed tables."""
SHAPE, SPACING_MM = (240, 240, 155), (1.0, 1.0, 1.0)
"""Grid of every image of BraTS2020. Its images cannot be known by digest here, since they may not be passed on."""
DIAGONAL_MM = math.hypot(*(n * size for n, size in zip(SHAPE, SPACING_MM, strict=True)))
_CLOSE_MM = 1e-2
CORRELATIONS = tuple(tenth / 10 for tenth in range(10))
_GROUPS = tuple(name.lower() for name in FIVE_NAMES)
_DSC_KEYS = ("dsc", *(f"dsc:{group}" for group in _GROUPS))


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """One table of a paper. file: its rows, beside this module; theirs: the row that the paper speaks for."""

    source: str
    file: str
    theirs: str


TABLE_1 = "table1"
"""The paper's table of methods."""
PRINTED: Mapping[str, PrintedTable] = {
    TABLE_1: PrintedTable("CLISC, Ma et al., ISBI 2025, Table 1", "published_table1.csv", "CLISC"),
    "table2": PrintedTable("CLISC, Ma et al., ISBI 2025, Table 2", "published_table2.csv", "Ours"),
}
"""The printed tables that are known, by name; Table 2 has no groups and no column on labels."""


def published_table(
    name: str, run: RunScores, rows: Sequence[MethodRow], cases: int, reference: str | None
) -> Published:
    """The printed rows of a table of PRINTED beside a comparison of `cases` cases.

    run: any of the comparison's, for its data; rows: those measured here; reference: label of the row that is set
    against each printed one where the cases are the paper's, None: the one that competes with the best mean DSC.
    """
    table, printed = PRINTED[name], read_published(name)
    keys = [key for key in _DSC_KEYS if key in printed[0].cells]
    why_other = other_data(run, cases)
    same_cases = not why_other
    claims = [claim for key in keys for claim in _printed_claims(printed, table.theirs, key)]
    if same_cases:
        competing = [row for row in rows if not row.section]
        ours = next((row for row in rows if row.label == reference), None) or max(
            competing, key=lambda row: row.cells["dsc"].mean or 0.0
        )
        claims += [claim for key in keys for claim in _measured_claims(ours, printed, key)]
    audit = tuple(map(_audit, printed)) if len(keys) == len(_DSC_KEYS) else ()
    return Published(table.source, same_cases, why_other, printed, audit, tuple(claims))


def other_data(run: RunScores, cases: int) -> str:
    """Say why a comparison of `cases` cases is not on the paper's, '' where it is: names, number and grid must agree.

    The grid is that of the scores (its diagonal) and, where they are there, of the run's predictions.
    """
    names = (run.dataset, run.split, run.part)
    if names != SAME_DATA:
        return f"data {', '.join(names)}, not {', '.join(SAME_DATA)}"
    if cases != CASES:
        return f"{cases} cases, not {CASES}"
    for score in run.scores:
        if abs(score.diagonal_mm - DIAGONAL_MM) > _CLOSE_MM:
            return f"case {score.case} has a diagonal of {score.diagonal_mm:.2f} mm, BraTS2020 {DIAGONAL_MM:.2f} mm"
    return next(filter(None, (_other_grid(run, score.case) for score in run.scores)), "")


def _other_grid(run: RunScores, case: str) -> str:
    """Say how a prediction's grid differs from BraTS2020's, '' where it does not or is not there."""
    from unseg_bench.data.nifti import read_grid

    path = None if run.folder is None else RunFolder(run.folder).prediction(case)
    if path is None or not path.is_file():
        return ""
    grid = read_grid(path)
    if grid.shape == SHAPE and max(abs(a - b) for a, b in zip(grid.spacing_mm, SPACING_MM, strict=True)) < _CLOSE_MM:
        return ""
    sizes, voxels = " x ".join(map(str, grid.shape)), " x ".join(f"{size:g}" for size in grid.spacing_mm)
    return f"case {case} has {sizes} voxels of {voxels} mm, BraTS2020 {' x '.join(map(str, SHAPE))} of 1 mm"


def read_published(name: str = TABLE_1) -> tuple[PublishedRow, ...]:
    """The printed rows of a table of PRINTED in the paper's order; DSC as 0-1."""
    text = (files("unseg_bench.compare") / PRINTED[name].file).read_text(encoding="utf-8")
    return tuple(_row(row) for row in csv.DictReader(text.splitlines()))


def probability_false(better: PublishedCell, worse: PublishedCell, n: int, correlation: float) -> float:
    """Probability that the mean of `better` is not above that of `worse`, n cases each, known by mean and sd only.

    t_{n-1}(sqrt(n) (mean_w - mean_b) / sqrt(sd_b^2 + sd_w^2 - 2 sd_b sd_w r)), t_{n-1}(x) being Student's distribution
    function and r the assumed correlation of the two methods over cases.
    """
    spread = math.sqrt(better.sd**2 + worse.sd**2 - 2.0 * correlation * better.sd * worse.sd)
    lead = better.mean - worse.mean
    if not spread:
        return 0.5 if not lead else float(lead < 0.0)
    tail = t_tail(math.sqrt(n) * lead / spread, n - 1) / 2.0
    return tail if lead > 0.0 else 1.0 - tail


def _row(cells: dict[str, str]) -> PublishedRow:
    def cell(name: str, scale: float) -> PublishedCell:
        return PublishedCell(float(cells[f"{name}_mean"]) / scale, float(cells[f"{name}_std"]) / scale)

    names = {key: key.replace(":", "_") for key in _DSC_KEYS}
    dsc = {key: cell(name, 100.0) for key, name in names.items() if f"{name}_mean" in cells}
    hd95 = {"hd95_mm": cell("hd95", 1.0)}
    return PublishedRow(cells["row"], cells.get("label_free", ""), {"dsc": dsc.pop("dsc"), **hd95, **dsc})


def _audit(row: PublishedRow) -> AuditRow:
    overall = row.cells["dsc"].mean
    groups = fmean(row.cells[f"dsc:{group}"].mean for group in _GROUPS)
    return AuditRow(row.label, overall, groups, overall - groups)


def _printed_claims(printed: Sequence[PublishedRow], speaker: str, key: str) -> list[FalseClaim]:
    """The column's best row against all others, and the paper's own where it is not best against those below it."""
    best = max(printed, key=lambda row: row.cells[key].mean)
    theirs = next(row for row in printed if row.label == speaker)
    claims = [_claim(best, row, key) for row in printed if row is not best]
    if theirs is not best:
        claims += [_claim(theirs, row, key) for row in printed if row.cells[key].mean < theirs.cells[key].mean]
    return claims


def _claim(better: PublishedRow, worse: PublishedRow, key: str) -> FalseClaim:
    n = CASES if key == "dsc" else CASES // len(_GROUPS)
    return _false_claim(better.label, worse.label, key, n, better.cells[key], worse.cells[key], measured=False)


def _measured_claims(ours: MethodRow, printed: Sequence[PublishedRow], key: str) -> list[FalseClaim]:
    """Our row against every printed one; nothing for a column that the comparison does not have."""
    cell = ours.cells.get(key)
    if cell is None or cell.mean is None or cell.sd is None:
        return []
    own = PublishedCell(cell.mean, cell.sd)
    return [_false_claim(ours.label, row.label, key, cell.n, own, row.cells[key], measured=True) for row in printed]


def _false_claim(
    better: str, worse: str, key: str, n: int, one: PublishedCell, other: PublishedCell, *, measured: bool
) -> FalseClaim:
    by_correlation = {f"{r:.1f}": probability_false(one, other, n, r) for r in CORRELATIONS}
    return FalseClaim(better, worse, key, n, measured, by_correlation)
