"""BraTS2020 as it was released, with the split that the authors of CLISC published."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from unseg_bench import (
    CaseReport,
    DataCheck,
    DataError,
    Dataset,
    DatasetOptions,
    ImageFile,
    Progress,
    ReferenceFile,
    Split,
    describe_cases,
    first_of,
    hookimpl,
    inspect_cases,
    split_from_files,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASED_SHAPE = (240, 240, 155)
RELEASED_LABELS = (0, 1, 2, 4)
OTHER_NAMES = {"BraTS20_Training_355": "W39_1998.09.19_Segm"}
"""Masks that the release names differently from all others."""

HOW_TO_GET = (
    "The BraTS2020 training data is given out on registration: https://www.med.upenn.edu/cbica/brats2020/data.html "
    "(many cases come from TCGA-GBM and TCGA-LGG of The Cancer Imaging Archive, https://www.cancerimagingarchive.net). "
    "Unpack it and give the folder MICCAI_BraTS2020_TrainingData, which holds BraTS20_Training_001 to _369, as data."
)
_SUFFIXES = (".nii.gz", ".nii")
_CASES = "BraTS20_Training_*"


class Brats2020Options(DatasetOptions):
    """Where the released folder is."""

    data: Path | None = Field(None, description="Folder MICCAI_BraTS2020_TrainingData, or a folder that contains it.")


class Brats2020Dataset(Dataset[Brats2020Options]):
    """369 cases of 240 x 240 x 155 voxels of 1 mm; FLAIR only; whole tumour = every label above 0."""

    name = "brats2020"
    title = "BraTS2020 training data, 257 / 37 / 75 cases as published with CLISC"

    def __init__(self, options: Brats2020Options) -> None:
        """Find the case folders; raises DataError saying how to get the data when there are none."""
        super().__init__(options)
        self._root = _find_root(options.data)
        self._split = split_from_files(Path(__file__).parent / "brats2020_split", "published-257-37-75")

    def identity(self) -> dict[str, object]:
        """Return the name; there is one release and one split."""
        return {"name": self.name, "split": self._split.name}

    def split(self) -> Split:
        """Return the published split, whether or not all its cases are there."""
        return self._split

    def image(self, case_id: str) -> ImageFile:
        """Return the FLAIR file of a case; raises DataError naming it when it is missing."""
        return ImageFile(self._file(case_id, f"{case_id}_flair"))

    def reference(self, case_id: str) -> ReferenceFile:
        """Return the mask of a case, under its odd name where the release has one; raises DataError when missing."""
        other_names = [OTHER_NAMES[case_id]] if case_id in OTHER_NAMES else []
        return ReferenceFile(self._file(case_id, f"{case_id}_seg", *other_names))

    def check(self, progress: Progress) -> DataCheck:
        """Read every FLAIR image and mask, and compare with the release: folders, sizes, labels."""
        present = [case_id for case_id in self._split.case_ids if (self._root / case_id).is_dir()]
        missing = [case_id for case_id in self._split.case_ids if case_id not in set(present)]
        reports = inspect_cases(self, present, progress)
        problems: list[str] = []
        if missing:
            problems.append(f"{self._root} lacks {len(missing)} of 369 case folders: {first_of(missing)}")
        problems += [problem for report in reports for problem in report.problems]
        problems += _odd_sizes(reports)
        notes = [f"{self._root}: {len(present)} of 369 cases", *describe_cases(reports, set()), *_deviations(reports)]
        notes += self._odd_names(present)
        return DataCheck(len(present), tuple(problems), tuple(notes), HOW_TO_GET if problems else "")

    def _file(self, case_id: str, *stems: str) -> Path:
        candidates = [self._root / case_id / f"{stem}{suffix}" for stem in stems for suffix in _SUFFIXES]
        for path in candidates:
            if path.is_file():
                return path
        raise DataError(
            f"{candidates[0]} is missing (nor is there {', '.join(path.name for path in candidates[1:])}); "
            f"`ubench data check brats2020 --data {self._root}` lists all that is missing"
        )

    def _odd_names(self, present: Sequence[str]) -> list[str]:
        """Say which masks were found under another name than the rest."""
        return [
            f"{case_id}: the mask has the release's odd name {stem}; that is fine, no need to rename it"
            for case_id, stem in OTHER_NAMES.items()
            if case_id in present and any((self._root / case_id / f"{stem}{suffix}").is_file() for suffix in _SUFFIXES)
        ]


def _find_root(data: Path | None) -> Path:
    """Return the folder that holds the case folders: `data` itself, or one up to two levels below."""
    if data is None:
        raise DataError(f"the data set 'brats2020' needs the option data: --data DIR. {HOW_TO_GET}")
    folder = data.expanduser()
    if not folder.is_dir():
        raise DataError(f"data: {folder} is not a folder. {HOW_TO_GET}")
    for below in ("", "*/", "*/*/"):
        roots = sorted({path.parent for path in folder.glob(below + _CASES) if path.is_dir()})
        if len(roots) > 1:
            raise DataError(f"data: {folder} holds BraTS2020 cases in {roots[0]} and in {roots[1]}; name one of them")
        if roots:
            return roots[0]
    raise DataError(f"data: {folder} holds no folder named like BraTS20_Training_001. {HOW_TO_GET}")


def _odd_sizes(reports: Sequence[CaseReport]) -> list[str]:
    """Name the cases whose image has another size than most."""
    shapes = Counter(report.shape for report in reports if report.shape)
    if not shapes:
        return []
    usual = RELEASED_SHAPE if RELEASED_SHAPE in shapes else shapes.most_common(1)[0][0]
    return [
        f"{report.case_id}: the image has the size {report.shape}, the others {usual}; unpack this case again"
        for report in reports
        if report.shape not in (None, usual)
    ]


def _deviations(reports: Sequence[CaseReport]) -> list[str]:
    """Say what is unlike the release in all cases alike."""
    notes: list[str] = []
    shapes = {report.shape for report in reports if report.shape}
    if shapes and RELEASED_SHAPE not in shapes:
        notes.append("no image has the release's size 240 x 240 x 155: resampled or cropped data?")
    if odd := sorted({label for report in reports for label in report.labels} - set(RELEASED_LABELS)):
        notes.append(f"labels that the release does not have: {', '.join(map(str, odd))} (all above 0 count as tumour)")
    return notes


@hookimpl
def ubench_datasets() -> list[type[Dataset]]:
    """Register the data set."""
    return [Brats2020Dataset]
