"""What the network sees of a case: the brain's box stretched to a fixed size, in positive intensities."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Artifact, Cohort, Image, Mask, RunError, Volume, Work, stage, write_json
from unseg_bench.blocks.resample import Mode, mask_to_shape, resample_to_shape
from unseg_bench.blocks.simulated_tumours.simulate import to_positive

from .options import GridOptions, Size

_INDEX = "brains.json"


@dataclass(frozen=True, slots=True, eq=False)
class Brain:
    """A stretched case, all (X, Y, Z) of the network's size.

    `image`: positive intensities (`to_positive`), 0 outside the brain. `spacing_mm`: of the stretched voxels, another
    one along each axis. `normal`: (Z,) bool, which axial slices are known to be normal.
    """

    image: Image
    brain: Mask
    spacing_mm: tuple[float, float, float]
    normal: NDArray[np.bool_]


def stretch(volume: Volume, size: Size, normal: NDArray[np.bool_] | None = None) -> Brain:
    """Stretch a volume that has a brain to `size`. `normal`: (Z,) of the volume; None: all slices."""
    image, brain = resample_to_shape(volume.image, size), mask_to_shape(volume.brain, size)
    x, y, z = (n * mm / m for n, mm, m in zip(volume.shape, volume.spacing_mm, size, strict=True))
    known = np.ones(volume.shape[2], dtype=np.bool_) if normal is None else normal
    slices = resample_to_shape(known.reshape(1, 1, -1).astype(np.float32), (1, 1, size[2]), "nearest")[0, 0] > 0.5
    return Brain(to_positive(image, brain)[0], brain, (x, y, z), slices)


def back(scores: Image, volume: Volume, mode: Mode) -> Image:
    """Bring a map of the network's size to the volume's own grid, (X, Y, Z) float32."""
    return resample_to_shape(scores, volume.shape, mode)


@stage("sim2real-volumes", seeded=False)
def stretch_cohort(work: Work, options: GridOptions, *, cohort: Cohort, slices: Artifact | str) -> None:
    """Write each case as a Brain, and `brains.json`; cases without a brain at that size are left out.

    `slices`: `<case>.npy`, (Z,) bool, the normal slices of each case; '': nothing is known, so all count. Raises
    RunError where no case is left.
    """
    spacings: dict[str, tuple[float, float, float]] = {}
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        if not mask_to_shape(volume.brain, options.size).any():
            continue
        normal = np.array(slices.array(volume.case_id)) if isinstance(slices, Artifact) else None
        one = stretch(volume, options.size, normal)
        for part, array in {"image": one.image, "brain": one.brain, "normal": one.normal}.items():
            np.save(work.folder / f"{volume.case_id}.{part}.npy", array, allow_pickle=False)
        spacings[volume.case_id] = one.spacing_mm
    if not spacings:
        raise RunError(f"stage 'sim2real-volumes': none of the {len(cohort)} cases of '{cohort.name}' has a brain")
    write_json(work.folder / _INDEX, spacings)


class Brains:
    """The cases that `stretch_cohort` wrote, memory-mapped; `case_ids` in the cohort's order."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._spacings = json.loads(artifact.path(_INDEX).read_text(encoding="utf-8"))
        self.case_ids: tuple[str, ...] = tuple(self._spacings)

    def __len__(self) -> int:
        return len(self.case_ids)

    def __getitem__(self, number: int, /) -> Brain:
        return self.of(self.case_ids[number])

    def of(self, case_id: str) -> Brain:
        """Return one by its id."""
        image, brain, normal = (self._open(f"{case_id}.{part}") for part in ("image", "brain", "normal"))
        x, y, z = self._spacings[case_id]
        return Brain(image, brain, (x, y, z), normal)

    def _open(self, name: str) -> NDArray[Any]:
        return self._artifact.array(name).view(np.ndarray)


def stretched(
    cohort: Cohort, options: GridOptions, run: Callable[..., Artifact], slices: Artifact | str = ""
) -> Artifact:
    """Return the stretched cases of a cohort. `run`: a context's."""
    return run(stretch_cohort, options, cohort=cohort, slices=slices)
