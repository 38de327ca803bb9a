"""The only access to reference masks: what was declared is granted and written down, the rest is refused."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.files import CaseFiles, ReferenceFile
from unseg_bench.data.nifti import NiftiGrid, form_at_fault, grid_difference, read_grid, read_labels
from unseg_bench.data.splits import PARTS, Split
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask
from unseg_bench.errors import DataError, LabelAccessError

_TRAINING = ("train", "valid")
_EVERYWHERE = (*PARTS, "other")

MASK_PARTS: dict[Supervision, tuple[str, ...]] = {
    Supervision.NONE: (),
    Supervision.SLICE_LABELS: (),
    Supervision.VALIDATION_MASKS: ("valid",),
    Supervision.SLICE_LABELS_AND_VALIDATION_MASKS: ("valid",),
    Supervision.MASKS: _TRAINING,
    Supervision.PROMPTS_FROM_MASKS: _EVERYWHERE,
    Supervision.TEST_MASKS: _EVERYWHERE,
}
"""Of which parts a method may read masks; 'other' is a case outside the split."""

SLICE_LABEL_PARTS: dict[Supervision, tuple[str, ...]] = {
    **MASK_PARTS,
    Supervision.SLICE_LABELS: _TRAINING,
    Supervision.SLICE_LABELS_AND_VALIDATION_MASKS: _TRAINING,
}
"""Of which parts a method may read slice labels: they follow from masks, so where masks are granted they are too."""


class LabelAccess:
    """Gives a method the references that its declared supervision grants; each read goes to `on_read` first.

    `on_read` is called with {'case', 'kind': 'mask' or 'slice-labels', 'purpose', 'when': UTC, ISO 8601}.
    """

    def __init__(
        self,
        dataset: CaseFiles,
        split: Split,
        supervision: Supervision,
        store: PreparedStore,
        on_read: Callable[[dict[str, Any]], None],
    ) -> None:
        self._dataset = dataset
        self._supervision = supervision
        self._store = store
        self._on_read = on_read
        self._part_of = {case_id: part for part in PARTS for case_id in split.part(part)}

    def mask(self, case_id: str, purpose: str) -> Mask:
        """Return the whole-tumour reference on the prepared volume's grid (X, Y, Z).

        Raises LabelAccessError if that was not declared, DataError if the reference is missing or on another grid.
        """
        self._admit("mask", MASK_PARTS, case_id, purpose)
        return self._read(case_id)

    def slice_labels(self, case_id: str, purpose: str) -> NDArray[np.bool_]:
        """Return, per axial slice (Z,) of the prepared volume, whether it has tumour; raises as `mask` does."""
        self._admit("slice-labels", SLICE_LABEL_PARTS, case_id, purpose)
        return np.asarray(self._read(case_id).any(axis=(0, 1)))

    def _admit(self, kind: str, granted: dict[Supervision, tuple[str, ...]], case_id: str, purpose: str) -> None:
        part = self._part_of.get(case_id, "other")
        if part not in granted[self._supervision]:
            where = f"the part '{part}'" if part in PARTS else "no part of the split"
            enough = [str(level) for level, parts in granted.items() if part in parts]
            raise LabelAccessError(
                f"the method asked for the {kind} of case {case_id} ({where}) for '{purpose}', but declares "
                f"supervision '{self._supervision}'; this needs one of: {', '.join(enough)}"
            )
        when = datetime.now(UTC).isoformat(timespec="seconds")
        self._on_read({"case": case_id, "kind": kind, "purpose": purpose, "when": when})

    def _read(self, case_id: str) -> Mask:
        case = self._store.prepare(case_id, self._dataset.image(case_id))
        mask, _ = read_reference(self._dataset, case_id, case.grid)
        return np.ascontiguousarray(case.placement.take(mask))


def read_reference(
    dataset: CaseFiles, case_id: str, like: NiftiGrid, uncounted: set[int] | None = None
) -> tuple[Mask, NDArray[np.float64]]:
    """Read the whole tumour of a case for scoring: (mask (X, Y, Z) in file order, affine 4x4).

    `like`: the image or prediction that the reference must share its grid with. `uncounted` gets the labels above 0
    that do not count as tumour. Raises DataError when the data set has no reference for the case, or when it is on
    another grid.
    """
    reference = dataset.reference(case_id)
    if reference is None:
        raise DataError(f"there is no reference mask for case {case_id}; it cannot be scored")
    return read_whole_tumour(reference, like, uncounted), like.affine


def read_whole_tumour(reference: ReferenceFile, like: NiftiGrid, uncounted: set[int] | None = None) -> Mask:
    """Read a reference file on the grid `like`: True where the label counts as tumour, (X, Y, Z) in file order.

    A file on another grid is known by its header and never unpacked. `uncounted` gets the labels that do not count.
    """
    grid = read_grid(reference.path)
    if difference := grid_difference(like, grid):
        remedy = form_at_fault(like, grid) or (
            "Resample the mask to the image with nearest neighbour (ANTs: antsApplyTransforms -n NearestNeighbor "
            "-r IMAGE -i MASK -o MASK)"
        )
        raise DataError(f"{reference.path} is not on the grid of {like.path}: {difference}. {remedy}")
    labels = read_labels(reference.path)
    refuse_negative(reference.path, labels.data)
    tumour = whole_tumour(labels.data, reference.tumour_labels)
    if uncounted is not None:
        uncounted.update(uncounted_labels(labels.data, tumour))
    return tumour


def uncounted_labels(labels: NDArray[np.integer[Any]], tumour: Mask) -> tuple[int, ...]:
    """Return the labels above 0 outside the tumour: those that `tumour_labels` does not name."""
    rest = (labels > 0) & ~tumour
    return tuple(int(value) for value in np.unique(labels[rest])) if rest.any() else ()


def not_counted(values: Iterable[int]) -> str:
    """Say of files that they 'also hold 3, which does not count as tumour'."""
    return f"also hold {', '.join(map(str, sorted(values)))}, which does not count as tumour"


def refuse_negative(path: Path, labels: NDArray[np.integer[Any]]) -> None:
    """Raise DataError where a mask holds a value below 0, as 255 kept in a signed byte does."""
    if (lowest := int(labels.min())) < 0:
        raise DataError(f"{path}: {negative_label(lowest)}")


def negative_label(label: int) -> str:
    """Say what is wrong with a mask that holds this label, and what to do."""
    return f"has the label {label}; labels are 0 for background and above: is this an image, or a mask read as signed?"


def whole_tumour(labels: NDArray[np.integer[Any]], tumour_labels: tuple[int, ...] | None) -> Mask:
    """Return where `labels` is one of `tumour_labels`, or above 0 if that is None."""
    if tumour_labels is None:
        return labels > 0
    # A handful of comparisons beats np.isin by far on whole volumes.
    mask = np.zeros_like(labels, dtype=np.bool_)
    for value in tumour_labels:
        mask |= labels == value
    return mask
