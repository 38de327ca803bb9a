"""Look at every file of a data set before hours are spent on it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unseg_bench.data.files import CaseFiles, DataCheck, Progress, ReferenceFile
from unseg_bench.data.labels import negative_label, not_counted, uncounted_labels, whole_tumour
from unseg_bench.data.nifti import NiftiGrid, form_at_fault, forms_difference, grid_difference, read_image, read_labels
from unseg_bench.data.prepare import prepare
from unseg_bench.errors import DataError
from unseg_bench.words import count_text, first_of

_REMEDY = "Mend or replace the files named above, or leave those cases out of the image pattern or the split."
_USUAL_LABELS = 3
"""Labels of a tumour's parts, as BraTS has; one more is often none, such as the cavity of a resection."""


@dataclass(frozen=True, slots=True)
class CaseReport:
    """What was found in one case. `shape` and `labels` are None and empty where files could not be read.

    `uncounted`: labels above 0 that are no tumour by the data set's options. `forms`: how the image's sform and qform
    disagree, '' where they agree.
    """

    case_id: str
    shape: tuple[int, int, int] | None = None
    forms: str = ""
    labels: tuple[int, ...] = ()
    uncounted: tuple[int, ...] = ()
    has_reference: bool = False
    tumour_voxels: int = 0
    problems: tuple[str, ...] = ()


def check_cases(dataset: CaseFiles, progress: Progress) -> DataCheck:
    """Open every image and reference of the split and the healthy cases, one at a time.

    `progress` is called as (done, total, case id).
    """
    split, healthy = dataset.split(), dataset.healthy()
    reports = inspect_cases(dataset, (*split.case_ids, *healthy), progress)
    problems = [problem for report in reports for problem in report.problems]
    if not reports:
        problems.append("there is no case")
    notes = [
        f"{part}: {count_text(len(ids), 'case')}" for part in ("train", "valid", "test") if (ids := split.part(part))
    ]
    if healthy:
        notes.append(f"healthy: {count_text(len(healthy), 'case')}")
    notes += describe_cases(reports, set(healthy))
    return DataCheck(len(reports), tuple(problems), tuple(notes), _REMEDY if problems else "")


def inspect_cases(dataset: CaseFiles, case_ids: Sequence[str], progress: Progress) -> list[CaseReport]:
    """Read image and reference of each case; whatever is wrong with them becomes a sentence of its report."""
    reports: list[CaseReport] = []
    for done, case_id in enumerate(case_ids):
        progress(done, len(case_ids), case_id)
        reports.append(_inspect(dataset, case_id))
    progress(len(case_ids), len(case_ids), "")
    return reports


def describe_cases(reports: Sequence[CaseReport], healthy: set[str]) -> list[str]:
    """Say what stands out but does not stop a run: sizes, label values, missing or empty references."""
    notes: list[str] = []
    shapes = Counter(report.shape for report in reports if report.shape)
    if shapes:
        common, count = shapes.most_common(1)[0]
        rest = "all" if len(shapes) == 1 else f"{count} of {sum(shapes.values())} cases, {len(shapes)} sizes in all"
        notes.append(f"image size {common[0]} x {common[1]} x {common[2]}: {rest}")
    notes += _on_labels(reports)
    patients = [report for report in reports if report.shape and report.case_id not in healthy]
    if bare := [report.case_id for report in patients if not report.has_reference]:
        notes.append(
            f"no reference mask, so neither score nor supervision: {count_text(len(bare), 'case')}, {first_of(bare)}"
        )
    if empty := [r.case_id for r in patients if r.has_reference and not r.tumour_voxels and not r.problems]:
        notes.append(f"no tumour in the reference mask: {count_text(len(empty), 'case')}, {first_of(empty)}")
    if odd := [report for report in reports if report.forms]:
        notes.append(
            f"the image's header contradicts itself, and programs differ in what they read: "
            f"{count_text(len(odd), 'case')}, {first_of(report.case_id for report in odd)} ({odd[0].forms}); "
            "the sform is used here"
        )
    return notes


def _on_labels(reports: Sequence[CaseReport]) -> list[str]:
    """Say which values the reference masks hold, and which of them are no tumour by the data set's options."""
    found = sorted({label for report in reports for label in report.labels})
    if not found:
        return []
    notes = [f"values in the reference masks: {', '.join(map(str, found))}"]
    partly = [report for report in reports if report.uncounted]
    if partly:
        rest = {label for report in partly for label in report.uncounted}
        notes.append(
            f"the references {not_counted(rest)}: {count_text(len(partly), 'case')}, "
            f"{first_of(report.case_id for report in partly)}"
        )
    elif sum(label > 0 for label in found) > _USUAL_LABELS:
        notes.append("every value above 0 counts as tumour; name others by tumour_labels")
    return notes


def _inspect(dataset: CaseFiles, case_id: str) -> CaseReport:
    problems: list[str] = []
    grid = _try_image(dataset, case_id, problems)
    report = CaseReport(case_id, grid.shape, forms_difference(grid)) if grid else CaseReport(case_id)
    return replace(_with_reference(report, dataset, grid, problems), problems=tuple(problems))


def _try_image(dataset: CaseFiles, case_id: str, problems: list[str]) -> NiftiGrid | None:
    try:
        source = dataset.image(case_id)
        image = read_image(source.path, source.channel)
        prepare(image)
    except DataError as error:
        problems.append(str(error))
        return None
    return image


def _with_reference(report: CaseReport, dataset: CaseFiles, grid: NiftiGrid | None, problems: list[str]) -> CaseReport:
    """Return the report with what the case's reference holds."""
    try:
        reference = dataset.reference(report.case_id)
        return _examined(report, reference, grid, problems) if reference else report
    except DataError as error:
        problems.append(str(error))
        return replace(report, has_reference=True)


def _examined(report: CaseReport, reference: ReferenceFile, grid: NiftiGrid | None, problems: list[str]) -> CaseReport:
    labels = read_labels(reference.path)
    if grid and (difference := grid_difference(grid, labels)):
        remedy = form_at_fault(grid, labels) or "Resample it with nearest neighbour"
        problems.append(f"{reference.path} is not on the grid of {grid.path}: {difference}. {remedy}")
    values = tuple(int(value) for value in np.unique(labels.data))
    if values[0] < 0:
        problems.append(f"{reference.path}: {negative_label(values[0])}")
    tumour = whole_tumour(labels.data, reference.tumour_labels)
    return replace(
        report,
        has_reference=True,
        labels=values,
        uncounted=uncounted_labels(labels.data, tumour),
        tumour_voxels=int(tumour.sum()),
    )
