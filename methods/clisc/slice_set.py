"""What the slice classifier learns from: pictures and their labels, kept on disk and not in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Cohort, Volume
from unseg_bench.blocks.slices import Pictures, Scaling, eight_bit, resize, store_pictures

LabelsOf: TypeAlias = Callable[[str], tuple[NDArray[np.intp], NDArray[np.bool_]]]
"""case id -> (axial slices that have a label, whether it says tumour), both (N,)."""

Alter: TypeAlias = Callable[[Volume, NDArray[np.intp], NDArray[np.bool_], Pictures], Pictures]
"""(volume, slices, tumour, pictures) -> pictures (N, Y, X): what AMDA does to the labelled slices of a case."""


@dataclass(frozen=True, slots=True, eq=False)
class SliceSet:
    """All labelled slices of a cohort, in its order. `pictures`: (N, S, S) uint8, a memory map. `tumour`: (N,) bool."""

    pictures: Pictures
    tumour: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tumour)


def gather_slices(
    path: Path, cohort: Cohort, labels_of: LabelsOf, size: int, scaling: Scaling, alter: Alter | None = None,
    *, resize_first: bool = False,
) -> SliceSet:  # fmt: skip
    """Write every labelled slice, altered if asked and resized to (size, size), to the .npy file `path`.

    `resize_first`: `alter` is given the resized pictures.
    """
    tumour = np.concatenate([labels_of(case_id)[1] for case_id in cohort.case_ids])

    def parts() -> Iterator[Pictures]:
        for volume in cohort:
            slices, labelled = labels_of(volume.case_id)
            if len(slices):
                own = eight_bit(volume, slices, scaling)
                if resize_first:
                    own = _resized(own, size)
                own = own if alter is None else alter(volume, slices, labelled, own)
                yield own if resize_first else _resized(own, size)

    return SliceSet(store_pictures(path, (len(tumour), size, size), parts()), tumour)


def _resized(pictures: Pictures, size: int) -> Pictures:
    return resize(pictures, (size, size)).round().clamp(0, 255).byte().numpy()
