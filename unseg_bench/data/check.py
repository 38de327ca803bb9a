"""Look at every file of a data set before hours are spent on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unseg_bench.data.files import DataCheck
from unseg_bench.data.labels import negative_label, whole_tumour
from unseg_bench.data.nifti import grid_difference, read_image, read_labels
from unseg_bench.data.prepare import prepare
from unseg_bench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unseg_bench.data.files import Progress, ReferenceFile
    from unseg_bench.data.nifti import NiftiGrid
    from unseg_bench.plugins.dataset import Dataset

_REMEDY = "Mend or replace the files named above, or leave those cases out of the image pattern or the split."
_NAMED = 3


@dataclass(frozen=True, slots=True)
class CaseReport:
    """What was found in one case. `shape` and `labels` are None and empty where files could not be read."""

    case_id: str
    shape: tuple[int, int, int] | None = None
    labels: tuple[int, ...] = ()
    has_reference: bool = False
    tumour_voxels: int = 0
    problems: tuple[str, ...] = ()


def check_cases(dataset: Dataset, progress: Progress) -> DataCheck:
    """Open every image and reference of the split and the healthy cases, one at a time.

    `progress` is called as (done, total, case id).
    """
    split, healthy = dataset.split(), dataset.healthy()
    reports = inspect_cases(dataset, (*split.case_ids, *healthy), progress)
    problems = [problem for report in reports for problem in report.problems]
    if not reports:
        problems.append(f"the data set '{dataset.name}' has no case")
    notes = [f"{part}: {count_cases(len(ids))}" for part in ("train", "valid", "test") if (ids := split.part(part))]
    if healthy:
        notes.append(f"healthy: {count_cases(len(healthy))}")
    notes += describe(reports, set(healthy))
    return DataCheck(len(reports), tuple(problems), tuple(notes), _REMEDY if problems else "")


def inspect_cases(dataset: Dataset, case_ids: Sequence[str], progress: Progress) -> list[CaseReport]:
    """Read image and reference of each case; whatever is wrong with them becomes a sentence of its report."""
    reports: list[CaseReport] = []
    for done, case_id in enumerate(case_ids):
        progress(done, len(case_ids), case_id)
        reports.append(_inspect(dataset, case_id))
    progress(len(case_ids), len(case_ids), "")
    return reports


def count_cases(number: int) -> str:
    """Say '1 case' or '3 cases'."""
    return f"{number} case{'' if number == 1 else 's'}"


def name_cases(case_ids: Iterable[str]) -> str:
    """Name the first few of many cases: 'a, b, c and 4 more'."""
    ids = list(case_ids)
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more


def describe(reports: Sequence[CaseReport], healthy: set[str]) -> list[str]:
    """Say what stands out but does not stop a run: sizes, label values, missing or empty references."""
    notes: list[str] = []
    shapes = Counter(report.shape for report in reports if report.shape)
    if shapes:
        common, count = shapes.most_common(1)[0]
        rest = "all" if len(shapes) == 1 else f"{count} of {sum(shapes.values())} cases, {len(shapes)} sizes in all"
        notes.append(f"image size {common[0]} x {common[1]} x {common[2]}: {rest}")
    found = sorted({label for report in reports for label in report.labels})
    if found:
        notes.append(f"values in the reference masks: {', '.join(map(str, found))}")
    patients = [report for report in reports if report.shape and report.case_id not in healthy]
    if bare := [report.case_id for report in patients if not report.has_reference]:
        notes.append(
            f"no reference mask, so neither score nor supervision: {count_cases(len(bare))}, {name_cases(bare)}"
        )
    if empty := [r.case_id for r in patients if r.has_reference and not r.tumour_voxels and not r.problems]:
        notes.append(f"no tumour in the reference mask: {count_cases(len(empty))}, {name_cases(empty)}")
    return notes


def _inspect(dataset: Dataset, case_id: str) -> CaseReport:
    problems: list[str] = []
    grid = _try_image(dataset, case_id, problems)
    labels, has_reference, voxels = _try_reference(dataset, case_id, grid, problems)
    return CaseReport(case_id, grid.shape if grid else None, labels, has_reference, voxels, tuple(problems))


def _try_image(dataset: Dataset, case_id: str, problems: list[str]) -> NiftiGrid | None:
    try:
        source = dataset.image(case_id)
        image = read_image(source.path, source.channel)
        prepare(image)
    except DataError as error:
        problems.append(str(error))
        return None
    return image


def _try_reference(
    dataset: Dataset, case_id: str, grid: NiftiGrid | None, problems: list[str]
) -> tuple[tuple[int, ...], bool, int]:
    """Return the labels found, whether there is a reference, and how many voxels are tumour."""
    try:
        reference = dataset.reference(case_id)
        if reference is None:
            return (), False, 0
        labels, voxels = _examine(reference, grid, problems)
    except DataError as error:
        problems.append(str(error))
        return (), True, 0
    return labels, True, voxels


def _examine(reference: ReferenceFile, grid: NiftiGrid | None, problems: list[str]) -> tuple[tuple[int, ...], int]:
    labels = read_labels(reference.path)
    if grid and (difference := grid_difference(grid, labels)):
        problems.append(
            f"{reference.path} is not on the grid of {grid.path}: {difference}; resample it with nearest neighbour"
        )
    values = tuple(int(value) for value in np.unique(labels.data))
    if values[0] < 0:
        problems.append(f"{reference.path}: {negative_label(values[0])}")
    return values, int(whole_tumour(labels.data, reference.tumour_labels).sum())
