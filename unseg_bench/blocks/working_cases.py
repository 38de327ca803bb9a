"""Cases of a training on disk: resampled once, opened anew at each look, so memory does not grow with their number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.resample import Shape, Spacing, mask_to_shape, resample_to_shape, shape_at
from unseg_bench.data.atomic import sync_tree, write_text
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCase:
    """A volume to learn from, all (X, Y, Z): `image` with 0 outside the brain, `label`, `brain`; memory maps too.

    `tumour`: the places of the label's voxels in it (`np.flatnonzero`), where they were looked up before.
    """

    image: Image
    label: Mask
    brain: Mask
    spacing_mm: tuple[float, float, float]
    tumour: NDArray[np.integer] | None = None


class Cases(Protocol):
    """Cases to learn from, by number: a list, or something that opens a case when it is looked at."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, number: int, /) -> LabelledCase:
        """Return one; raises IndexError after the last."""
        ...


@dataclass(frozen=True, slots=True)
class CohortCases:
    """Cases of a cohort, opened anew at each look. `label_of`: case id -> label (X, Y, Z), e.g. `artifact.array`."""

    cohort: Cohort
    label_of: Callable[[str], Mask]
    case_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.case_ids)

    def __getitem__(self, number: int, /) -> LabelledCase:
        volume = self.cohort[self.case_ids[number]]
        label = self.label_of(volume.case_id).view(np.ndarray)
        return LabelledCase(volume.image, label, volume.brain, volume.spacing_mm)


class WorkingCases:
    """Cases at an isotropic working spacing (None: their own), with the places of their tumour voxels.

    What was resampled lies in `folder`, and is taken from there when a training that was killed goes on.
    """

    def __init__(self, cases: Cases, spacing_mm: float | None, folder: Path) -> None:
        self._cases, self._spacing_mm, self._folder = cases, spacing_mm, folder
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(len(cases)):
                self._write(number)
            sync_tree(folder)
            write_text(folder / "complete", "")

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, number: int, /) -> LabelledCase:
        tumour = self._open(number, "tumour")
        if not self._path(number, "image").exists():
            return replace(self._cases[number], tumour=tumour)
        image, label, brain = (self._open(number, part) for part in ("image", "label", "brain"))
        assert self._spacing_mm is not None  # noqa: S101 - else nothing was resampled
        spacing = (self._spacing_mm, self._spacing_mm, self._spacing_mm)
        return LabelledCase(image, label, brain, spacing, tumour)

    def _write(self, number: int) -> None:
        """Resample a case unless it has that shape already, and look up its tumour."""
        case = self._cases[number]
        shape = working_shape(case.image.shape, case.spacing_mm, self._spacing_mm)
        label = case.label
        if shape != case.image.shape:
            label = mask_to_shape(case.label, shape)
            parts = {"image": resample_to_shape(case.image, shape), "brain": mask_to_shape(case.brain, shape)}
            for part, array in {**parts, "label": label}.items():
                np.save(self._path(number, part), array, allow_pickle=False)
        np.save(self._path(number, "tumour"), np.flatnonzero(label).astype(np.int32), allow_pickle=False)

    def _open(self, number: int, part: str) -> NDArray[Any]:
        return np.load(self._path(number, part), mmap_mode="r", allow_pickle=False).view(np.ndarray)

    def _path(self, number: int, part: str) -> Path:
        return self._folder / f"{number}.{part}.npy"


def working_shape(shape: tuple[int, ...], from_mm: Spacing, spacing_mm: float | None) -> Shape:
    """Return the shape of a volume at an isotropic spacing; None: its own."""
    x, y, z = shape
    return (x, y, z) if spacing_mm is None else shape_at((x, y, z), from_mm, (spacing_mm, spacing_mm, spacing_mm))
