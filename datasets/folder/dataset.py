"""Any cohort of NIfTI files in a folder, described by patterns."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, field_validator

from unseg_bench.data.paths import check_case_id
from unseg_bench.data.splits import PARTS, Split, split_all_test, split_by_ratio, split_from_files
from unseg_bench.errors import DataError
from unseg_bench.plugins.dataset import Dataset, DatasetOptions, ImageFile, ReferenceFile
from unseg_bench.plugins.hookspecs import hookimpl

_RATIO = re.compile(r"\d+(\.\d+)?(:\d+(\.\d+)?){2}")
_UNLABELLED = "unlabelled-"


def _numbers(value: object) -> object:
    """Accept '1,2,4' for (1, 2, 4)."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


class FolderOptions(DatasetOptions):
    """Where images and references are; patterns are relative to `data`."""

    data: Path | None = Field(None, description="Folder that the patterns are relative to.")
    image: str = Field(
        "*.nii.gz",
        description="FLAIR images, e.g. '*/flair.nii.gz': the first '*' is the case id, or '{case}' if it is used.",
    )
    reference: str | None = Field(None, description="Reference masks, by the same rules; without it nothing is scored.")
    tumour_labels: Annotated[tuple[int, ...] | None, BeforeValidator(_numbers)] = Field(
        None, description="Labels that count as whole tumour, e.g. 1,2,4; by default every label above 0."
    )
    channel: int | None = Field(None, ge=0, description="Which channel of a 4D image is FLAIR, counted from 0.")
    split: str = Field(
        "7:1:2",
        description="Ratios train:valid:test, 'all-test', or a folder with train.txt, valid.txt and test.txt.",
    )
    split_seed: int = Field(0, ge=0, description="Seed of the shuffle when the split is given by ratios.")
    healthy: str | None = Field(None, description="Images known to be free of tumour; they belong to no part.")
    unlabelled: str | None = Field(
        None, description="More training images, never scored; may match test images too, and the split then says so."
    )

    @field_validator("tumour_labels")
    @classmethod
    def _above_zero(cls, labels: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if labels is not None and (not labels or min(labels) < 1):
            raise ValueError("tumour labels are numbers above 0, e.g. 1,2,4")
        return labels


class FolderDataset(Dataset):
    """NIfTI files found by patterns; nothing but their names is read before a case is asked for."""

    name: ClassVar[str] = "folder"
    title: ClassVar[str] = "Any cohort of NIfTI files, described by patterns"
    Options: ClassVar[type[DatasetOptions]] = FolderOptions

    def __init__(self, options: FolderOptions) -> None:
        """Find the files; raises DataError naming the option when the patterns do not describe a cohort."""
        super().__init__(options)
        self._chosen = options
        root = _root(options.data)
        image = Pattern("image", options.image)
        references = Pattern("reference", options.reference).files(root) if options.reference else {}
        masks = set(references.values())
        images = image.files(root, without=masks)
        healthy = _healthy(options.healthy, image, root, masks)
        healthy_files = set(healthy.values())
        patients = {case_id: path for case_id, path in images.items() if path not in healthy_files}
        _refuse_clash(patients, healthy)
        _refuse_strangers(options, patients, references)
        unlabelled = _unlabelled(options.unlabelled, root, masks)
        self._images = {**patients, **healthy, **unlabelled}
        self._references = {case_id: path for case_id, path in references.items() if case_id not in unlabelled}
        self._healthy = tuple(sorted(healthy))
        self._split = _with_unlabelled(_split(options, sorted(patients)), patients, unlabelled)

    def identity(self) -> dict[str, object]:
        """Return patterns, labels and split; the folder's place on this machine is not part of it."""
        members = json.dumps([self._split.part(part) for part in PARTS])
        return {
            "name": self.name,
            **self._chosen.model_dump(mode="json", exclude={"data", "split", "split_seed"}),
            "split": self._split.name,
            "members": hashlib.sha256(members.encode()).hexdigest(),
        }

    def split(self) -> Split:
        """Return the split asked for; additional unlabelled images are training cases."""
        return self._split

    def healthy(self) -> tuple[str, ...]:
        """Return the ids of the images that `healthy` matches."""
        return self._healthy

    def image(self, case_id: str) -> ImageFile:
        """Return the image file of a case."""
        if case_id not in self._images:
            raise DataError(f"image '{self._chosen.image}' in {self._chosen.data} matches no case {case_id}")
        return ImageFile(self._images[case_id], self._chosen.channel)

    def reference(self, case_id: str) -> ReferenceFile | None:
        """Return the reference file of a case, None where there is none."""
        path = self._references.get(case_id)
        return ReferenceFile(path, self._chosen.tumour_labels) if path else None


class Pattern:
    """A pattern such as '*/Flair*.nii.gz': which files it matches, and which part of their path is the case id.

    '*' and '?' match within one name, '**' any folders, '{case}' the id; without '{case}' the first '*' is the id.
    """

    def __init__(self, option: str, pattern: str) -> None:
        """`option` is named in messages. Raises DataError when no part of the pattern can be the case id."""
        self.option, self.pattern = option, pattern
        if Path(pattern).is_absolute():
            raise DataError(f"{option} '{pattern}' must be relative to the folder that the option data names")
        parts = re.split(r"(\{case\}|\*\*/|\*|\?)", pattern)
        if "{case}" not in parts:
            if "*" not in parts:
                raise DataError(f"{option} '{pattern}' needs a '*' or '{{case}}' where the case id stands in the path")
            parts[parts.index("*")] = "{case}"
        self._regex = re.compile(_regex(parts))
        self._glob = "".join(_glob(part) for part in parts)

    def case_id(self, name: str) -> str | None:
        """Return the id in a path relative to the data folder, None if the pattern does not match it."""
        match = self._regex.fullmatch(name)
        return match["case"] if match else None

    def files(self, root: Path, without: set[Path] | None = None) -> dict[str, Path]:
        """Return the files by case id, leaving out `without`; raises DataError for no match, twins and unsafe ids."""
        from glob import glob

        found: dict[str, Path] = {}
        # Unlike Path.glob this leaves out hidden files, such as the '._*' that macOS adds to what it copies.
        for name in sorted(glob(self._glob, root_dir=root, recursive=True)):  # noqa: PTH207
            path = root / name
            case_id = self.case_id(Path(name).as_posix())
            if case_id is None or path in (without or ()) or not path.is_file():
                continue
            if case_id in found:
                raise DataError(
                    f"{self.option} '{self.pattern}': {found[case_id]} and {path} both stand for case {case_id}; "
                    "make the pattern narrower, or mark the id with {case}"
                )
            found[self._checked(case_id, path)] = path
        if not found:
            also = " (other than reference masks)" if without else ""
            raise DataError(f"{self.option} '{self.pattern}' matches no file{also} in {root}; check folder and pattern")
        return found

    def _checked(self, case_id: str, path: Path) -> str:
        try:
            return check_case_id(case_id)
        except DataError as error:
            raise DataError(f"{self.option} '{self.pattern}', file {path}: {error}") from None


def _regex(parts: list[str]) -> str:
    known = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    first, again = "(?P<case>[^/]+?)", "(?P=case)"
    pieces: list[str] = []
    for part in parts:
        case = again if first in pieces else first
        pieces.append(case if part == "{case}" else known.get(part, re.escape(part)))
    return "".join(pieces)


def _glob(part: str) -> str:
    from glob import escape

    return "*" if part == "{case}" else part if part in ("**/", "*", "?") else escape(part)


def _root(data: Path | None) -> Path:
    if data is None:
        raise DataError("the data set 'folder' needs the option data, the folder with the images: --data DIR")
    root = data.expanduser()
    if not root.is_dir():
        raise DataError(f"data: {root} is not a folder; give the folder that holds the images, e.g. --data .")
    return root


def _healthy(pattern: str | None, image: Pattern, root: Path, masks: set[Path]) -> dict[str, Path]:
    """Return healthy images by id; a file that `image` matches too keeps the id it has there."""
    if pattern is None:
        return {}
    files = Pattern("healthy", pattern).files(root, without=masks)
    return {image.case_id(path.relative_to(root).as_posix()) or own: path for own, path in files.items()}


def _unlabelled(pattern: str | None, root: Path, masks: set[Path]) -> dict[str, Path]:
    """Return additional training images; their ids get a prefix, so no reference can ever belong to them."""
    if pattern is None:
        return {}
    files = Pattern("unlabelled", pattern).files(root, without=masks)
    return {check_case_id(_UNLABELLED + case_id): path for case_id, path in files.items()}


def _refuse_clash(patients: dict[str, Path], healthy: dict[str, Path]) -> None:
    if both := sorted(set(patients) & set(healthy)):
        raise DataError(
            f"healthy: {healthy[both[0]]} has the same case id as {patients[both[0]]} ({both[0]}); "
            "rename one, or choose patterns whose '*' tells them apart"
        )


def _refuse_strangers(options: FolderOptions, patients: dict[str, Path], references: dict[str, Path]) -> None:
    """Refuse references of which none belongs to an image: the patterns take the id from different places."""
    if references and not set(patients) & set(references):
        raise DataError(
            f"no case id of image '{options.image}' (e.g. {min(patients, default='none')}) is one of reference "
            f"'{options.reference}' (e.g. {min(references)}); the '*' or '{{case}}' of both must match the same text"
        )


def _split(options: FolderOptions, case_ids: list[str]) -> Split:
    if options.split == "all-test":
        return split_all_test(case_ids)
    if not _RATIO.fullmatch(options.split):
        folder = Path(options.split).expanduser()
        if not folder.is_dir():
            raise DataError(f"split '{options.split}': write ratios like 7:1:2, 'all-test', or a folder that exists")
        return split_from_files(folder, folder.resolve().name, case_ids)
    train, valid, test = (float(number) for number in options.split.split(":"))
    split = split_by_ratio(case_ids, (train, valid, test), options.split_seed)
    if not split.test:
        raise DataError(
            f"split {options.split} leaves no test case of {len(case_ids)}; with so few, use all-test for methods that "
            "need no training, and give training images with the option unlabelled"
        )
    return split


def _with_unlabelled(split: Split, patients: dict[str, Path], unlabelled: dict[str, Path]) -> Split:
    """Add the additional training images, and say in the name when some of them are evaluated as well."""
    if not unlabelled:
        return split
    evaluated = {patients[case_id] for case_id in split.valid + split.test}
    kind = "transductive" if evaluated & set(unlabelled.values()) else "unlabelled"
    train = (*split.train, *sorted(unlabelled))
    return Split(f"{split.name}-{kind}", train, split.valid, split.test)


@hookimpl
def ubench_datasets() -> list[type[Dataset]]:
    """Register the data set."""
    return [FolderDataset]
