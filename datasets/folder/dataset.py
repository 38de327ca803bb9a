"""Any cohort of NIfTI files in a folder, described by patterns."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from unseg_bench import (
    DataError,
    Dataset,
    DatasetOptions,
    ImageFile,
    ReferenceFile,
    Split,
    check_case_id,
    split_all_test,
    split_by_ratio,
    split_from_files,
)

from .left_out import describe_left_out
from .patterns import Matches, Pattern

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
        description="FLAIR images, e.g. '*/flair.nii.gz': the first '*' is the case id, or '{case}' if it is used, or "
        "'{patient}' and '{session}' together.",
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
    allow_missing: bool = Field(
        False, description="Go on without files that are not fetched, named otherwise, or missing beside others."
    )

    @field_validator("tumour_labels")
    @classmethod
    def _above_zero(cls, labels: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if labels is not None and (not labels or min(labels) < 1):
            raise ValueError("tumour labels are numbers above 0, e.g. 1,2,4")
        return labels


class FolderDataset(Dataset[FolderOptions]):
    """NIfTI files found by patterns; nothing but their names is read before a case is asked for."""

    name = "folder"
    title = "Any cohort of NIfTI files, described by patterns"

    def __init__(self, options: FolderOptions) -> None:
        """Find the files; raises DataError naming the option when the patterns do not describe a cohort."""
        super().__init__(options)
        root = _root(options.data)
        image = Pattern("image", options.image)
        nothing = Matches()
        references = Pattern("reference", options.reference, image.joiner).find(root) if options.reference else nothing
        images = image.find(root, references.paths)
        healthy = _healthy(options.healthy, image, root, references.paths)
        unlabelled = _unlabelled(options.unlabelled, image, root, references.paths)
        patients = {case_id: path for case_id, path in images.files.items() if path not in healthy.paths}
        _refuse_clash(patients, healthy.files)
        _refuse_strangers(options, {**patients, **images.not_fetched}, references)
        self._left_out = describe_left_out(image, root, images, references, (healthy, unlabelled))
        if self._left_out and not options.allow_missing:
            raise DataError(f"{root}: {'. '.join(self._left_out)}. --allow-missing goes on without")
        self._images = {**patients, **healthy.files, **unlabelled.files}
        self._references = {id_: path for id_, path in references.files.items() if id_ not in unlabelled.files}
        self._healthy = tuple(sorted(healthy.files))
        self._patients = {**images.patients, **healthy.patients, **unlabelled.patients}
        self._split = _with_unlabelled(
            _split(options, sorted(patients), self._patients), self._patients, unlabelled, patients
        )

    def identity(self) -> dict[str, object]:
        """Return patterns, labels and split; the folder's place on this machine is not part of it."""
        members = json.dumps([self._split.train, self._split.valid, self._split.test])
        return {
            "name": self.name,
            **self.options.model_dump(mode="json", exclude={"data", "split", "split_seed", "allow_missing"}),
            "split": self._split.name,
            "members": hashlib.sha256(members.encode()).hexdigest(),
        }

    def split(self) -> Split:
        """Return the split asked for; additional unlabelled images are training cases."""
        return self._split

    def healthy(self) -> tuple[str, ...]:
        """Return the ids of the images that `healthy` matches."""
        return self._healthy

    def patient(self, case_id: str) -> str:
        """Return what `{patient}` matched, or the case id where no pattern has it."""
        return self._patients.get(case_id, case_id)

    def left_out(self) -> tuple[str, ...]:
        """Return sentences on files that are not fetched, named otherwise, or missing beside others."""
        return self._left_out

    def image(self, case_id: str) -> ImageFile:
        """Return the image file of a case."""
        if case_id not in self._images:
            raise DataError(f"image '{self.options.image}' in {self.options.data} matches no case {case_id}")
        return ImageFile(self._images[case_id], self.options.channel)

    def reference(self, case_id: str) -> ReferenceFile | None:
        """Return the reference file of a case, None where there is none."""
        path = self._references.get(case_id)
        return ReferenceFile(path, self.options.tumour_labels) if path else None


def _root(data: Path | None) -> Path:
    if data is None:
        raise DataError("the data set 'folder' needs the option data, the folder with the images: --data DIR")
    root = data.expanduser()
    if not root.is_dir():
        raise DataError(f"data: {root} is not a folder; give the folder that holds the images, e.g. --data .")
    return root


def _healthy(pattern: str | None, image: Pattern, root: Path, masks: set[Path]) -> Matches:
    """Return healthy images; a file that `image` matches too keeps the id it has there."""
    if pattern is None:
        return Matches()
    found = Pattern("healthy", pattern, image.joiner).find(root, masks)
    ids = {own: image.case_id(path.relative_to(root).as_posix()) or own for own, path in found.files.items()}
    return replace(
        found,
        files={ids[own]: path for own, path in found.files.items()},
        patients={ids.get(own, own): patient for own, patient in found.patients.items()},
    )


def _unlabelled(pattern: str | None, image: Pattern, root: Path, masks: set[Path]) -> Matches:
    """Return additional training images; their ids get a prefix, so no reference can ever belong to them."""
    if pattern is None:
        return Matches()
    found = Pattern("unlabelled", pattern, image.joiner).find(root, masks)
    return replace(
        found,
        files={check_case_id(_UNLABELLED + case_id): path for case_id, path in found.files.items()},
        patients={_UNLABELLED + case_id: patient for case_id, patient in found.patients.items()},
    )


def _refuse_clash(patients: Mapping[str, Path], healthy: Mapping[str, Path]) -> None:
    if both := sorted(set(patients) & set(healthy)):
        raise DataError(
            f"healthy: {healthy[both[0]]} has the same case id as {patients[both[0]]} ({both[0]}); "
            "rename one, or choose patterns whose '*' tells them apart"
        )


def _refuse_strangers(options: FolderOptions, patients: Collection[str], references: Matches) -> None:
    """Refuse references of which none belongs to an image: the patterns take the id from different places."""
    ids = {*references.files, *references.not_fetched}
    if ids and not set(patients) & ids:
        raise DataError(
            f"no case id of image '{options.image}' (e.g. {min(patients, default='none')}) is one of reference "
            f"'{options.reference}' (e.g. {min(ids)}); the '*' or '{{case}}' of both must match the same text"
        )


def _split(options: FolderOptions, case_ids: list[str], patients: Mapping[str, str]) -> Split:
    if options.split == "all-test":
        return split_all_test(case_ids)
    if not _RATIO.fullmatch(options.split):
        folder = Path(options.split).expanduser()
        if not folder.is_dir():
            raise DataError(f"split '{options.split}': write ratios like 7:1:2, 'all-test', or a folder that exists")
        return split_from_files(folder, folder.resolve().name, case_ids, patients)
    train, valid, test = (float(number) for number in options.split.split(":"))
    split = split_by_ratio(case_ids, (train, valid, test), options.split_seed, patients)
    if not split.test:
        raise DataError(
            f"split {options.split} leaves no test case of {len(case_ids)}; with so few, use all-test for methods that "
            "need no training, and give training images with the option unlabelled"
        )
    return split


def _with_unlabelled(
    split: Split, patients: Mapping[str, str], unlabelled: Matches, images: Mapping[str, Path]
) -> Split:
    """Add the additional training images, and say in the name when patients among them are evaluated as well."""
    if not unlabelled.files:
        return split
    evaluated = split.valid + split.test
    same_file = {images[case_id] for case_id in evaluated} & set(unlabelled.files.values())
    # Ids of several patterns tell patients apart only where all of them say what a patient is.
    sessions = any(patients[case_id] != case_id for case_id in evaluated)
    same_patient = sessions and {patients[case_id] for case_id in evaluated} & set(unlabelled.patients.values())
    kind = "transductive" if same_file or same_patient else "unlabelled"
    train = (*split.train, *sorted(unlabelled.files))
    return Split(f"{split.name}-{kind}", train, split.valid, split.test)
