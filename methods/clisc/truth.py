"""Uses of labels: the four in the authors' code, and oracles. Each is an option, off by default, and a purpose.

A purpose is what the run's ledger has beside each read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Cohort, Labels, Mask, Supervision
from unseg_bench.blocks.references import digest_of_masks, digest_of_slices, least_supervision
from unseg_bench.blocks.resample import mask_to_shape

from .options import CliscOptions

GATE_CAMS = "1: give only slices with tumour a CAM"
CHOOSE_LEVEL = "2: choose the CAM's level by Dice"
CHOOSE_EPOCH = "3: choose the classifier's epoch by accuracy"
CHOOSE_CHECKPOINT = "4: choose the U-Net's checkpoint by Dice"

ORACLE_LABELS = "oracle: labels of slices in the place of CLIP's"
ORACLE_REGIONS = "oracle: regions in the place of the CAMs'"
ORACLE_PSEUDO_LABELS = "oracle: masks in the place of SAM's"
ORACLE_FILTER = "oracle: rank cases by Dice"

_Part: TypeAlias = Literal["train", "valid"]


@dataclass(frozen=True, slots=True, eq=False)
class TrueSlices:
    """Which axial slices of each case have tumour, (Z,) bool on the working grid. `digest`: of all of them."""

    by_case: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict[str, NDArray[np.bool_]])

    @property
    def digest(self) -> str:
        """SHA-256 over cases and slices: a corrected reference makes stages stale."""
        return digest_of_slices(self.by_case)


@dataclass(frozen=True, slots=True, eq=False)
class TrueMasks:
    """Reference masks of a cohort on the working grid, read when they are asked for. `digest`: of all of them."""

    digest: str
    of: Callable[[str], Mask]


def supervision_of(options: CliscOptions) -> Supervision:
    """The least that a method must declare to do what its options say."""
    slices: set[_Part] = set()
    masks: set[_Part] = set()
    oracle = options.oracle
    if options.cam.true_slices:
        slices |= {"train", "valid"}
    if options.classifier.keep == "best-by-true-slices":
        slices.add("valid")
    if oracle.labels:
        slices.add("train")
    if options.region.rule == "validation-dice" or options.unet.keep == "best-validation-dice":
        masks.add("valid")
    if oracle.regions or oracle.pseudo_labels or oracle.filter:
        masks.add("train")
    return least_supervision(masks=masks, slice_labels=slices)


def true_slices(cohort: Cohort, working: Cohort, labels: Labels, purpose: str) -> TrueSlices:
    """Read which slices of `cohort` have tumour, for the slices of `working` (see `slices_at`)."""
    return TrueSlices(
        {
            case_id: slices_at(labels.slice_labels(case_id, purpose), working[case_id].shape[2])
            for case_id in cohort.case_ids
        }
    )


def slices_at(slices: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Bring (Z,) to `count` slices over the same height: True where the middle of a slice with tumour falls."""
    tumour = np.flatnonzero(slices)
    result = np.zeros(count, dtype=np.bool_)
    result[((tumour + 0.5) * count / len(slices)).astype(np.intp)] = True
    return result


def true_masks(cohort: Cohort, working: Cohort, labels: Labels, purpose: str) -> TrueMasks:
    """Give the masks of `cohort` on the grid of `working`; each is read once here, for the digest."""

    def of(case_id: str) -> Mask:
        return mask_to_shape(labels.mask(case_id, purpose), working[case_id].shape)

    return TrueMasks(digest_of_masks(cohort, labels, purpose), of)
